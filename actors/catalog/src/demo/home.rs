//! Home.

use super::{DemoProduct, variant};

pub(super) const PRODUCTS: &[DemoProduct] = &[
    DemoProduct {
        slug: "brass-desk-lamp",
        name: "Brass Desk Lamp",
        description: "A joint that holds, a shade that turns, a switch that clicks.",
        category: "lighting",
        price: 14900,
        cost_price: 7000,
        is_featured: true,
        attributes: &[("material", "brass"), ("socket", "E14")],
        on_hand: 20,
        ..DemoProduct::PLAIN
    },
    DemoProduct {
        slug: "paper-lantern",
        name: "Paper Lantern",
        description: "Washi paper over bamboo. Light as there is through a cloud.",
        category: "lighting",
        price: 4200,
        cost_price: 1500,
        attributes: &[("material", "paper, bamboo")],
        variants: &[
            variant("LANT-40", "40 cm", None, &[("diameter", "40 cm")], 40),
            variant("LANT-60", "60 cm", Some(5800), &[("diameter", "60 cm")], 25),
        ],
        ..DemoProduct::PLAIN
    },
    DemoProduct {
        slug: "beeswax-candles",
        name: "Beeswax Candles",
        description: "Six dipped candles that burn for seven hours each and smell of honey.",
        category: "lighting",
        price: 2600,
        cost_price: 1100,
        attributes: &[("count", "6")],
        on_hand: 200,
        ..DemoProduct::PLAIN
    },
    DemoProduct {
        slug: "wall-sconce",
        name: "Wall Sconce",
        description: "A half dome of plaster that sends its light up the wall.",
        category: "lighting",
        price: 9900,
        cost_price: 4500,
        attributes: &[("material", "plaster"), ("socket", "E27")],
        on_hand: 18,
        ..DemoProduct::PLAIN
    },
    DemoProduct {
        slug: "wool-blanket",
        name: "Wool Blanket",
        description: "Virgin wool in a herringbone weave, 140 by 200 cm.",
        category: "textiles",
        price: 13900,
        cost_price: 6200,
        attributes: &[("material", "wool"), ("size", "140 x 200 cm")],
        variants: &[
            variant("BLANKET-GRE", "Grey", None, &[("colour", "grey")], 25),
            variant("BLANKET-OCH", "Ochre", None, &[("colour", "ochre")], 25),
        ],
        ..DemoProduct::PLAIN
    },
    DemoProduct {
        slug: "linen-bed-set",
        name: "Linen Bed Set",
        description: "A duvet cover and two pillow cases of stone-washed linen.",
        category: "textiles",
        price: 21900,
        compare_price: Some(24900),
        cost_price: 11000,
        is_featured: true,
        attributes: &[("material", "linen")],
        variants: &[
            variant("BED-SINGLE", "Single", Some(17900), &[("size", "140 x 200 cm")], 20),
            variant("BED-DOUBLE", "Double", None, &[("size", "200 x 200 cm")], 20),
        ],
        ..DemoProduct::PLAIN
    },
    DemoProduct {
        slug: "waffle-towel",
        name: "Waffle Towel",
        description: "Dries you at once and itself by noon.",
        category: "textiles",
        price: 2900,
        cost_price: 1100,
        attributes: &[("material", "cotton")],
        variants: &[
            variant("WAFF-HAND", "Hand towel", None, &[("size", "50 x 90 cm")], 120),
            variant("WAFF-BATH", "Bath towel", Some(4900), &[("size", "80 x 140 cm")], 100),
        ],
        ..DemoProduct::PLAIN
    },
    DemoProduct {
        slug: "jute-rug",
        name: "Jute Rug",
        description: "Braided by hand, at home under a table.",
        category: "textiles",
        price: 11900,
        cost_price: 5200,
        attributes: &[("material", "jute"), ("size", "120 x 180 cm")],
        on_hand: 12,
        ..DemoProduct::PLAIN
    },
];
