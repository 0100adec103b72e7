//! The same commands, given to two nodes at once.

use contract::CallError;
use futures::future::join_all;
use runtime::Call;
use uuid::Uuid;

use crate::{
    domains::{Speak, Speaker, SpeakerError, Spoken},
    world::World,
};

/// Scenario 5, and Scenario 23: two nodes get the same two hundred ids in opposite orders, again and again; each id
/// comes three times, so that copies meet in one batch too. No deadlock, no wait for a neighbour's copy, one effect and
/// one answer.
#[tokio::test(flavor = "multi_thread")]
async fn the_same_ids_in_opposite_orders_on_two_nodes_neither_deadlock_nor_run_twice() {
    let world = World::start().await;
    let client = world.client().await;
    let nodes = [world.node(Speaker).await, world.node(Speaker).await];
    let deadlocks = "select deadlocks::bigint from pg_stat_database where datname = 'speaker'";
    let before = world.number("speaker", deadlocks).await;
    for round in 0..5 {
        let ids: Vec<Uuid> = (0..200).map(|_| Uuid::now_v7()).collect();
        let there = ids.iter();
        let back = ids.iter().rev();
        let calls = there.clone().zip(back).flat_map(|(one, other)| [*one, *other, *one]);
        let answers = join_all(calls.map(|id| {
            let client = client.clone();
            async move {
                let call = Call { command_id: Some(id), ..Call::default() };
                (id, client.send(&Speak { text: "the same".to_owned() }, &call).await.unwrap())
            }
        }))
        .await;
        assert_eq!(answers.len(), 600);
        assert_eq!(answers.iter().filter(|(_, answer)| !answer.replayed).count(), 200, "round {round}");
        for (id, answer) in &answers {
            let first = answers.iter().find(|(other, _)| other == id).unwrap();
            assert_eq!(answer.reply, first.1.reply, "{id} has one answer");
        }
    }
    assert_eq!(world.number("speaker", "select count(*) from spoken").await, 1000);
    let twice = "select count(*) from (select 1 from spoken group by command having count(*) > 1) as twice";
    assert_eq!(world.number("speaker", twice).await, 0);
    assert_eq!(world.number("speaker", deadlocks).await, before, "no deadlock");
    for node in nodes {
        node.drain().await;
    }
    world.stack.stop().await.unwrap();
}

/// A body that is rejected as wrong leaves its id to the corrected one, also where both come at once to two nodes, in
/// opposite orders: the right one is accepted once, and the wrong one is wrong, or another body of an id that is used.
#[tokio::test(flavor = "multi_thread")]
async fn a_wrong_body_leaves_its_id_to_the_right_one() {
    let world = World::start().await;
    let client = world.client().await;
    let nodes = [world.node(Speaker).await, world.node(Speaker).await];
    let speak = async |id: Uuid, text: &str| {
        let call = Call { command_id: Some(id), ..Call::default() };
        client.send(&Speak { text: text.to_owned() }, &call).await.map(|answer| (answer.reply, answer.replayed))
    };
    let is_wrong = |answer: &Result<(Spoken, bool), CallError<SpeakerError>>| match answer {
        Err(CallError::Rejected(SpeakerError::Silence)) => true,
        Err(CallError::ServiceError(error)) => error.code == "command_id_reused",
        Ok(_) => false,
    };
    let id = Uuid::now_v7();
    for _ in 0..2 {
        assert_eq!(speak(id, "").await, Err(CallError::Rejected(SpeakerError::Silence)));
    }
    assert_eq!(world.number("speaker", "select count(*) from command_log").await, 0);
    let (spoken, replayed) = speak(id, "right").await.unwrap();
    assert!(!replayed);
    assert_eq!(speak(id, "right").await.unwrap(), (spoken, true));
    assert!(is_wrong(&speak(id, "").await));

    let ids: Vec<Uuid> = (0..200).map(|_| Uuid::now_v7()).collect();
    let bodies = ids.iter().flat_map(|id| [(*id, ""), (*id, "right")]);
    let back = ids.iter().rev().flat_map(|id| [(*id, "right"), (*id, "")]);
    let answers = join_all(bodies.chain(back).map(|(id, text)| async move { (id, text, speak(id, text).await) })).await;
    for id in &ids {
        let of = |wanted: &str| -> Vec<_> {
            let all = answers.iter().filter(|(of, text, _)| of == id && *text == wanted);
            all.map(|(_, _, answer)| answer).collect()
        };
        assert!(of("").into_iter().all(is_wrong), "{:?}", of(""));
        let right = of("right");
        let [Ok(one), Ok(other)] = right[..] else { panic!("{right:?}") };
        assert_eq!(one.0, other.0, "one run");
        // Both, where the client that was first repeated its request.
        assert!(one.1 || other.1, "and a repeat of it");
    }
    assert_eq!(world.number("speaker", "select count(*) from spoken").await, 201);
    assert_eq!(world.number("speaker", "select count(*) from command_log").await, 201);
    for node in nodes {
        node.drain().await;
    }
    world.stack.stop().await.unwrap();
}
