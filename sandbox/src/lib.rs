//! The hostile payment provider.
