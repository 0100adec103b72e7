//! Outdoors.

use super::{DemoProduct, variant};

pub(super) const PRODUCTS: &[DemoProduct] = &[
    DemoProduct {
        slug: "two-person-tent",
        name: "Two-person Tent",
        description: "2.1 kg, two doors, and a fly that stands to the ground when the wind comes up.",
        category: "camping",
        price: 34900,
        cost_price: 18500,
        is_featured: true,
        attributes: &[("weight", "2.1 kg"), ("persons", "2")],
        on_hand: 14,
        ..DemoProduct::PLAIN
    },
    DemoProduct {
        slug: "down-sleeping-bag",
        name: "Down Sleeping Bag",
        description: "Comfortable to minus five. 850 fill power, traceable down.",
        category: "camping",
        price: 28900,
        cost_price: 15200,
        attributes: &[("comfort", "-5 C")],
        variants: &[
            variant("SLEEP-REG", "Regular", None, &[("length", "185 cm")], 18),
            variant("SLEEP-LONG", "Long", Some(30900), &[("length", "200 cm")], 12),
        ],
        ..DemoProduct::PLAIN
    },
    DemoProduct {
        slug: "camp-stove",
        name: "Camp Stove",
        description: "Boils a litre in four minutes, folds into its own pot.",
        category: "camping",
        price: 6900,
        cost_price: 3100,
        attributes: &[("weight", "95 g")],
        on_hand: 50,
        ..DemoProduct::PLAIN
    },
    DemoProduct {
        slug: "titanium-pot",
        name: "Titanium Pot",
        description: "0.9 litres, 110 grams, a lid and a handle that stays cool.",
        category: "camping",
        price: 5400,
        cost_price: 2500,
        attributes: &[("volume", "0.9 l"), ("material", "titanium")],
        on_hand: 40,
        ..DemoProduct::PLAIN
    },
    DemoProduct {
        slug: "head-torch",
        name: "Head Torch",
        description: "350 lumens, red light for the tent, charged by USB-C.",
        category: "camping",
        price: 4900,
        cost_price: 2100,
        attributes: &[("light", "350 lm")],
        on_hand: 85,
        ..DemoProduct::PLAIN
    },
    DemoProduct {
        slug: "canvas-backpack",
        name: "Canvas Backpack",
        description: "Waxed canvas and bridle leather, 22 litres, a sleeve for a laptop.",
        category: "bags",
        price: 15900,
        cost_price: 7200,
        is_featured: true,
        attributes: &[("volume", "22 l")],
        variants: &[
            variant("PACK-OLI", "Olive", None, &[("colour", "olive")], 22),
            variant("PACK-BLA", "Black", None, &[("colour", "black")], 22),
        ],
        ..DemoProduct::PLAIN
    },
    DemoProduct {
        slug: "canvas-tote",
        name: "Canvas Tote",
        description: "18 ounces of cotton with handles that go over a winter coat.",
        category: "bags",
        price: 3900,
        cost_price: 1400,
        attributes: &[("material", "cotton")],
        variants: &[
            variant("TOTE-NAT", "Natural", None, &[("colour", "natural")], 110),
            variant("TOTE-NAV", "Navy", None, &[("colour", "navy")], 90),
        ],
        ..DemoProduct::PLAIN
    },
    DemoProduct {
        slug: "roll-top-pannier",
        name: "Roll-top Pannier",
        description: "Welded seams, 20 litres, and a hook that lets go when you want it to.",
        category: "bags",
        price: 9900,
        cost_price: 4700,
        attributes: &[("volume", "20 l")],
        on_hand: 35,
        ..DemoProduct::PLAIN
    },
    DemoProduct {
        slug: "insulated-bottle",
        name: "Insulated Bottle",
        description: "Hot for twelve hours, cold for twenty-four.",
        category: "camping",
        price: 3400,
        cost_price: 1300,
        attributes: &[("material", "stainless steel")],
        variants: &[
            variant("BOTTLE-500", "0.5 l", None, &[("volume", "0.5 l")], 130),
            variant("BOTTLE-750", "0.75 l", Some(3900), &[("volume", "0.75 l")], 100),
        ],
        ..DemoProduct::PLAIN
    },
];
