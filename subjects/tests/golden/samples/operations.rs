use subjects::operations::{CheckInvariants, DOMAIN, Invariant, InvariantViolation, Invariants, OperationsError};

use super::made;
use crate::goldens::Goldens;

pub fn add(goldens: &mut Goldens) {
    let check = Invariant {
        name: "stock".into(),
        promise: "per variant: received = available + reserved + sold".into(),
        violations: 1,
        unsettled: 2,
        took_ms: 12,
    };
    let violation = InvariantViolation {
        check: "stock".into(),
        key: "variant 0198f000-0000-7000-8000-000000000030".into(),
        text: "received 12, available 10, reserved 2, sold 1".into(),
    };
    let invariants =
        Invariants { is_ok: false, checked_at: made(), took_ms: 40, checks: vec![check], violations: vec![violation] };
    goldens.query(&CheckInvariants {}, &invariants);

    for error in errors() {
        goldens.error(DOMAIN, error);
    }
}

pub fn errors() -> Vec<OperationsError> {
    vec![OperationsError::CheckIncomplete { checks: vec!["stock".into()] }]
}
