//! A set of small numbers, as bits: events or commits.

/// A set of numbers below 32.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Set(u32);

impl Set {
    /// Nothing.
    pub const EMPTY: Self = Self(0);

    /// One number.
    pub fn of(number: usize) -> Self {
        Self(1 << number)
    }

    /// Whether a number is in it.
    pub fn contains(self, number: usize) -> bool {
        self.0 >> number & 1 == 1
    }

    /// Whether nothing is in it.
    pub fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// How many numbers are in it.
    pub fn len(self) -> usize {
        self.0.count_ones() as usize
    }

    /// Adds a number.
    pub fn insert(&mut self, number: usize) {
        self.0 |= 1 << number;
    }

    /// Takes a number out.
    pub fn remove(&mut self, number: usize) {
        self.0 &= !(1 << number);
    }

    /// What is in either.
    #[must_use]
    pub fn union(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// What is in both.
    #[must_use]
    pub fn common(self, other: Self) -> Self {
        Self(self.0 & other.0)
    }

    /// What is in this one only.
    #[must_use]
    pub fn without(self, other: Self) -> Self {
        Self(self.0 & !other.0)
    }

    /// The lowest number.
    pub fn first(self) -> Option<usize> {
        (self.0 != 0).then(|| self.0.trailing_zeros() as usize)
    }

    /// Those of its numbers that pass a test.
    #[must_use]
    pub fn only(self, mut keep: impl FnMut(usize) -> bool) -> Self {
        Iterator::filter(self, |number| keep(*number)).collect()
    }
}

impl Iterator for Set {
    type Item = usize;

    fn next(&mut self) -> Option<usize> {
        let first = self.first()?;
        self.remove(first);
        Some(first)
    }
}

impl FromIterator<usize> for Set {
    fn from_iter<I: IntoIterator<Item = usize>>(numbers: I) -> Self {
        let mut set = Self::EMPTY;
        for number in numbers {
            set.insert(number);
        }
        set
    }
}
