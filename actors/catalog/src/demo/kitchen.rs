//! Kitchen.

use super::{DemoProduct, variant};

pub(super) const PRODUCTS: &[DemoProduct] = &[
    DemoProduct {
        slug: "gooseneck-kettle",
        name: "Gooseneck Kettle",
        description: "A stove-top kettle of 0.9 litres with a narrow spout, for pouring slowly and where it \
                      matters. Brushed steel, a thermometer in the lid.",
        category: "coffee-and-tea",
        price: 7900,
        cost_price: 3900,
        is_featured: true,
        attributes: &[("material", "stainless steel"), ("volume", "0.9 l")],
        on_hand: 60,
        ..DemoProduct::PLAIN
    },
    DemoProduct {
        slug: "hand-coffee-grinder",
        name: "Hand Coffee Grinder",
        description: "Conical steel burrs, forty clicks from Turkish to French press. Grinds 20 grams in \
                      under a minute.",
        category: "coffee-and-tea",
        price: 9500,
        cost_price: 4800,
        attributes: &[("material", "aluminium"), ("capacity", "20 g")],
        on_hand: 45,
        ..DemoProduct::PLAIN
    },
    DemoProduct {
        slug: "pour-over-dripper",
        name: "Pour-over Dripper",
        description: "A porcelain cone with spiral ribs, for one or two cups.",
        category: "coffee-and-tea",
        price: 2400,
        cost_price: 900,
        attributes: &[("material", "porcelain")],
        variants: &[
            variant("DRIP-WHI-1", "White, 1 cup", Some(2100), &[("colour", "white"), ("size", "1 cup")], 80),
            variant("DRIP-WHI-2", "White, 2 cups", None, &[("colour", "white"), ("size", "2 cups")], 80),
            variant("DRIP-BLA-2", "Black, 2 cups", None, &[("colour", "black"), ("size", "2 cups")], 40),
        ],
        ..DemoProduct::PLAIN
    },
    DemoProduct {
        slug: "paper-filters",
        name: "Paper Filters",
        description: "Oxygen-bleached filters for cone drippers, a hundred in a box.",
        category: "coffee-and-tea",
        price: 650,
        cost_price: 180,
        attributes: &[("count", "100")],
        on_hand: 500,
        ..DemoProduct::PLAIN
    },
    DemoProduct {
        slug: "espresso-blend",
        name: "Espresso Blend",
        description: "Chocolate, hazelnut, a little cherry. Roasted on Mondays, sent on Tuesdays.",
        category: "coffee-and-tea",
        price: 1600,
        cost_price: 820,
        is_featured: true,
        attributes: &[("origin", "Brazil, Ethiopia")],
        variants: &[
            variant("ESPR-250", "250 g", None, &[("weight", "250 g")], 200),
            variant("ESPR-1000", "1 kg", Some(5400), &[("weight", "1 kg")], 90),
        ],
        ..DemoProduct::PLAIN
    },
    DemoProduct {
        slug: "sencha-tea",
        name: "Sencha",
        description: "First flush from Shizuoka, steamed for a minute. Grassy, round, hardly bitter.",
        category: "coffee-and-tea",
        price: 1850,
        cost_price: 900,
        attributes: &[("origin", "Japan"), ("weight", "100 g")],
        on_hand: 120,
        ..DemoProduct::PLAIN
    },
    DemoProduct {
        slug: "cast-iron-teapot",
        name: "Cast Iron Teapot",
        description: "Keeps tea hot for an hour. Enamelled inside, with a steel strainer.",
        category: "coffee-and-tea",
        price: 6400,
        cost_price: 3000,
        attributes: &[("volume", "0.8 l"), ("material", "cast iron")],
        on_hand: 25,
        ..DemoProduct::PLAIN
    },
    DemoProduct {
        slug: "carbon-steel-pan",
        name: "Carbon Steel Pan",
        description: "As light as steel, as patient as iron. It darkens with use, and lets go of an egg \
                      after a week.",
        category: "cookware",
        price: 5900,
        cost_price: 2600,
        is_featured: true,
        attributes: &[("material", "carbon steel")],
        variants: &[
            variant("PAN-24", "24 cm", None, &[("diameter", "24 cm")], 40),
            variant("PAN-28", "28 cm", Some(6900), &[("diameter", "28 cm")], 40),
            variant("PAN-32", "32 cm", Some(8200), &[("diameter", "32 cm")], 20),
        ],
        ..DemoProduct::PLAIN
    },
    DemoProduct {
        slug: "dutch-oven",
        name: "Dutch Oven",
        description: "Enamelled cast iron for stews and bread. The lid returns every drop.",
        category: "cookware",
        price: 18900,
        compare_price: Some(21900),
        cost_price: 9800,
        attributes: &[("volume", "5.2 l")],
        variants: &[
            variant("DUTCH-BLU", "Blue", None, &[("colour", "blue")], 15),
            variant("DUTCH-GRE", "Green", None, &[("colour", "green")], 15),
            variant("DUTCH-CRE", "Cream", None, &[("colour", "cream")], 10),
        ],
        ..DemoProduct::PLAIN
    },
    DemoProduct {
        slug: "chefs-knife",
        name: "Chef's Knife",
        description: "A 21 cm blade of Swedish steel with a walnut handle. Comes sharp, and can be made so \
                      again.",
        category: "cookware",
        price: 12900,
        cost_price: 6400,
        attributes: &[("blade", "21 cm"), ("handle", "walnut")],
        on_hand: 30,
        ..DemoProduct::PLAIN
    },
    DemoProduct {
        slug: "oak-cutting-board",
        name: "Oak Cutting Board",
        description: "End grain, oiled, with a groove for juice. Kind to knives.",
        category: "cookware",
        price: 4500,
        cost_price: 1900,
        attributes: &[("size", "40 x 28 cm"), ("material", "oak")],
        on_hand: 70,
        ..DemoProduct::PLAIN
    },
    DemoProduct {
        slug: "wooden-spoon-set",
        name: "Wooden Spoon Set",
        description: "A spoon, a spatula and a ladle of olive wood. No two alike.",
        category: "cookware",
        price: 2200,
        cost_price: 700,
        attributes: &[("material", "olive wood"), ("count", "3")],
        on_hand: 150,
        ..DemoProduct::PLAIN
    },
    DemoProduct {
        slug: "stoneware-plate",
        name: "Stoneware Plate",
        description: "Thrown and glazed by hand in Portugal. For the dishwasher, too.",
        category: "tableware",
        price: 1900,
        cost_price: 750,
        attributes: &[("diameter", "27 cm")],
        variants: &[
            variant("PLATE-SAND", "Sand", None, &[("colour", "sand")], 160),
            variant("PLATE-SLATE", "Slate", None, &[("colour", "slate")], 160),
        ],
        ..DemoProduct::PLAIN
    },
    DemoProduct {
        slug: "stoneware-bowl",
        name: "Stoneware Bowl",
        description: "Deep enough for soup, wide enough for pasta.",
        category: "tableware",
        price: 1700,
        cost_price: 650,
        attributes: &[("diameter", "20 cm")],
        variants: &[
            variant("BOWL-SAND", "Sand", None, &[("colour", "sand")], 140),
            variant("BOWL-SLATE", "Slate", None, &[("colour", "slate")], 140),
        ],
        ..DemoProduct::PLAIN
    },
    DemoProduct {
        slug: "recycled-glass-tumblers",
        name: "Recycled Glass Tumblers",
        description: "Four tumblers with bubbles in them, as glass has that was a bottle before.",
        category: "tableware",
        price: 2800,
        cost_price: 1100,
        attributes: &[("count", "4"), ("volume", "0.3 l")],
        on_hand: 90,
        ..DemoProduct::PLAIN
    },
    DemoProduct {
        slug: "enamel-mug",
        name: "Enamel Mug",
        description: "White with a blue rim. Survives the campfire and the stone floor.",
        category: "tableware",
        price: 1200,
        cost_price: 400,
        attributes: &[("volume", "0.35 l"), ("material", "enamelled steel")],
        on_hand: 300,
        ..DemoProduct::PLAIN
    },
];
