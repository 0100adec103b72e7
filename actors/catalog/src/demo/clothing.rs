//! Clothing.

use super::{DemoProduct, variant};

pub(super) const PRODUCTS: &[DemoProduct] = &[
    DemoProduct {
        slug: "linen-shirt",
        name: "Linen Shirt",
        description: "Heavy European linen, washed once so that it will not shrink again. A straight cut and \
                      mother-of-pearl buttons.",
        category: "shirts",
        price: 8900,
        cost_price: 3600,
        is_featured: true,
        attributes: &[("material", "linen")],
        variants: &[
            variant("LINEN-WHI-S", "White, S", None, &[("colour", "white"), ("size", "S")], 30),
            variant("LINEN-WHI-M", "White, M", None, &[("colour", "white"), ("size", "M")], 45),
            variant("LINEN-WHI-L", "White, L", None, &[("colour", "white"), ("size", "L")], 45),
            variant("LINEN-WHI-XL", "White, XL", None, &[("colour", "white"), ("size", "XL")], 20),
            variant("LINEN-BLU-S", "Blue, S", None, &[("colour", "blue"), ("size", "S")], 30),
            variant("LINEN-BLU-M", "Blue, M", None, &[("colour", "blue"), ("size", "M")], 45),
            variant("LINEN-BLU-L", "Blue, L", None, &[("colour", "blue"), ("size", "L")], 45),
            variant("LINEN-BLU-XL", "Blue, XL", None, &[("colour", "blue"), ("size", "XL")], 20),
        ],
        ..DemoProduct::PLAIN
    },
    DemoProduct {
        slug: "oxford-shirt",
        name: "Oxford Shirt",
        description: "Cotton Oxford with a button-down collar that rolls as it should.",
        category: "shirts",
        price: 7500,
        cost_price: 3000,
        attributes: &[("material", "cotton")],
        variants: &[
            variant("OXF-WHI-S", "White, S", None, &[("colour", "white"), ("size", "S")], 40),
            variant("OXF-WHI-M", "White, M", None, &[("colour", "white"), ("size", "M")], 60),
            variant("OXF-WHI-L", "White, L", None, &[("colour", "white"), ("size", "L")], 60),
            variant("OXF-WHI-XL", "White, XL", None, &[("colour", "white"), ("size", "XL")], 30),
        ],
        ..DemoProduct::PLAIN
    },
    DemoProduct {
        slug: "flannel-shirt",
        name: "Flannel Shirt",
        description: "Brushed on both sides. The third day of wear is the best.",
        category: "shirts",
        price: 8200,
        compare_price: Some(9800),
        cost_price: 3300,
        attributes: &[("material", "cotton")],
        variants: &[
            variant("FLAN-GRE-S", "Green, S", None, &[("colour", "green"), ("size", "S")], 20),
            variant("FLAN-GRE-M", "Green, M", None, &[("colour", "green"), ("size", "M")], 25),
            variant("FLAN-GRE-L", "Green, L", None, &[("colour", "green"), ("size", "L")], 25),
            variant("FLAN-GRE-XL", "Green, XL", None, &[("colour", "green"), ("size", "XL")], 10),
            variant("FLAN-RED-S", "Red, S", None, &[("colour", "red"), ("size", "S")], 20),
            variant("FLAN-RED-M", "Red, M", None, &[("colour", "red"), ("size", "M")], 25),
            variant("FLAN-RED-L", "Red, L", None, &[("colour", "red"), ("size", "L")], 25),
            variant("FLAN-RED-XL", "Red, XL", None, &[("colour", "red"), ("size", "XL")], 10),
        ],
        ..DemoProduct::PLAIN
    },
    DemoProduct {
        slug: "heavy-tee",
        name: "Heavy T-shirt",
        description: "260 grams of organic cotton, with a collar that stays where it is.",
        category: "shirts",
        price: 3200,
        cost_price: 1000,
        attributes: &[("material", "organic cotton")],
        variants: &[
            variant("TEE-BLA-S", "Black, S", None, &[("colour", "black"), ("size", "S")], 80),
            variant("TEE-BLA-M", "Black, M", None, &[("colour", "black"), ("size", "M")], 120),
            variant("TEE-BLA-L", "Black, L", None, &[("colour", "black"), ("size", "L")], 120),
            variant("TEE-BLA-XL", "Black, XL", Some(3400), &[("colour", "black"), ("size", "XL")], 60),
            variant("TEE-WHI-S", "White, S", None, &[("colour", "white"), ("size", "S")], 80),
            variant("TEE-WHI-M", "White, M", None, &[("colour", "white"), ("size", "M")], 120),
            variant("TEE-WHI-L", "White, L", None, &[("colour", "white"), ("size", "L")], 120),
            variant("TEE-WHI-XL", "White, XL", Some(3400), &[("colour", "white"), ("size", "XL")], 60),
        ],
        ..DemoProduct::PLAIN
    },
    DemoProduct {
        slug: "band-collar-shirt",
        name: "Band Collar Shirt",
        description: "Cotton and linen in equal parts, no collar to speak of.",
        category: "shirts",
        price: 7900,
        cost_price: 3100,
        attributes: &[("material", "cotton, linen")],
        variants: &[
            variant("BAND-SAN-S", "Sand, S", None, &[("colour", "sand"), ("size", "S")], 18),
            variant("BAND-SAN-M", "Sand, M", None, &[("colour", "sand"), ("size", "M")], 24),
            variant("BAND-SAN-L", "Sand, L", None, &[("colour", "sand"), ("size", "L")], 24),
            variant("BAND-SAN-XL", "Sand, XL", None, &[("colour", "sand"), ("size", "XL")], 12),
        ],
        ..DemoProduct::PLAIN
    },
    DemoProduct {
        slug: "merino-sweater",
        name: "Merino Sweater",
        description: "Fine merino, knitted in one piece. Warm without weight.",
        category: "knitwear",
        price: 12900,
        cost_price: 5600,
        is_featured: true,
        attributes: &[("material", "merino wool")],
        variants: &[
            variant("MERINO-NAV-S", "Navy, S", None, &[("colour", "navy"), ("size", "S")], 20),
            variant("MERINO-NAV-M", "Navy, M", None, &[("colour", "navy"), ("size", "M")], 30),
            variant("MERINO-NAV-L", "Navy, L", None, &[("colour", "navy"), ("size", "L")], 30),
            variant("MERINO-NAV-XL", "Navy, XL", None, &[("colour", "navy"), ("size", "XL")], 15),
            variant("MERINO-GRE-S", "Grey, S", None, &[("colour", "grey"), ("size", "S")], 20),
            variant("MERINO-GRE-M", "Grey, M", None, &[("colour", "grey"), ("size", "M")], 30),
            variant("MERINO-GRE-L", "Grey, L", None, &[("colour", "grey"), ("size", "L")], 30),
            variant("MERINO-GRE-XL", "Grey, XL", None, &[("colour", "grey"), ("size", "XL")], 15),
        ],
        ..DemoProduct::PLAIN
    },
    DemoProduct {
        slug: "fishermans-sweater",
        name: "Fisherman's Sweater",
        description: "Thick ribbed wool that sheds rain for the first half hour.",
        category: "knitwear",
        price: 16900,
        cost_price: 7800,
        attributes: &[("material", "wool")],
        variants: &[
            variant("FISH-ECR-S", "Ecru, S", None, &[("colour", "ecru"), ("size", "S")], 10),
            variant("FISH-ECR-M", "Ecru, M", None, &[("colour", "ecru"), ("size", "M")], 15),
            variant("FISH-ECR-L", "Ecru, L", None, &[("colour", "ecru"), ("size", "L")], 15),
            variant("FISH-ECR-XL", "Ecru, XL", None, &[("colour", "ecru"), ("size", "XL")], 8),
        ],
        ..DemoProduct::PLAIN
    },
    DemoProduct {
        slug: "wool-beanie",
        name: "Wool Beanie",
        description: "Ribbed, rolled once, and warm.",
        category: "knitwear",
        price: 3500,
        cost_price: 1200,
        attributes: &[("material", "wool")],
        variants: &[
            variant("BEANIE-CHA", "Charcoal", None, &[("colour", "charcoal")], 70),
            variant("BEANIE-RUS", "Rust", None, &[("colour", "rust")], 50),
        ],
        ..DemoProduct::PLAIN
    },
    DemoProduct {
        slug: "lambswool-scarf",
        name: "Lambswool Scarf",
        description: "Woven in Scotland, fringed by hand, 180 cm long.",
        category: "knitwear",
        price: 5900,
        cost_price: 2400,
        attributes: &[("length", "180 cm"), ("material", "lambswool")],
        on_hand: 55,
        ..DemoProduct::PLAIN
    },
    DemoProduct {
        slug: "wool-socks",
        name: "Wool Socks",
        description: "Merino with a little nylon where heels are. Two pairs.",
        category: "knitwear",
        price: 1800,
        cost_price: 600,
        attributes: &[("count", "2 pairs")],
        variants: &[
            variant("SOCKS-39", "39-42", None, &[("size", "39-42")], 150),
            variant("SOCKS-43", "43-46", None, &[("size", "43-46")], 150),
        ],
        ..DemoProduct::PLAIN
    },
];
