//! `bench faults`: runs a whole cluster on this machine, buys under injected faults, and verifies the final state.

mod api;
mod arguments;
mod books;
mod buyers;
mod cluster;
mod inject;
mod plan;
mod process;
mod timeline;
mod verdict;

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use hyper::Method;
use serde_json::Value;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep};

pub use arguments::Arguments;

use crate::program;

use api::Caller;
use buyers::{Buyer, Variant};
use cluster::Cluster;
use timeline::Timeline;
use verdict::Verdict;

/// Timeout for the system to settle after the last fault.
const REST: Duration = Duration::from_secs(180);

/// The minimum rates per minute, below which a run has little significance.
const ORDERS_A_MINUTE: u64 = 500;
const FAULTS_A_MINUTE: u64 = 5;

/// Runs all seeds and returns whether all passed.
pub async fn run(arguments: &Arguments) -> Result<bool> {
    process::faketime()?;
    let souk = program::souk(arguments.souk.as_deref()).await?;
    let (mut failed, mut orders, mut faults) = (Vec::new(), 0, 0);
    for seed in arguments.seed..arguments.seed + arguments.runs {
        println!("seed {seed}: {} s under faults, {} buyers", arguments.seconds, arguments.buyers);
        let dir = tempfile::Builder::new().prefix("souk-faults-").tempdir().context("a directory for the run")?;
        // PostgreSQL may run as another user and needs access.
        std::fs::set_permissions(dir.path(), std::os::unix::fs::PermissionsExt::from_mode(0o755))?;
        let timeline = Arc::new(Timeline::start());
        let verdict = one(arguments, seed, dir.path(), &souk, &timeline).await;
        orders += verdict.as_ref().map_or(0, |verdict| verdict.orders);
        faults += timeline.faults();
        let has_passed = match &verdict {
            Ok(verdict) => {
                println!("seed {seed}: {} faults, {verdict}", timeline.faults());
                verdict.is_clean()
            }
            Err(error) => {
                println!("seed {seed}: FAILED: {error:#}");
                false
            }
        };
        if !has_passed {
            failed.push(seed);
            if arguments.keep {
                println!("logs and data of seed {seed} are in {}", dir.keep().display());
            }
        }
    }
    let total = arguments.runs;
    println!("{} of {total} seeds passed: {orders} orders, {faults} faults", total as usize - failed.len());
    if !failed.is_empty() {
        println!("failed: {failed:?}; repeat with --seed N --runs 1 --keep");
    }
    let seconds = arguments.runs * arguments.seconds;
    let (least_orders, least_faults) = (ORDERS_A_MINUTE * seconds / 60, FAULTS_A_MINUTE * seconds / 60);
    let is_enough = orders as u64 >= least_orders && faults as u64 >= least_faults;
    if !is_enough {
        println!("too few events for a result: at least {least_orders} orders and {least_faults} faults are required");
    }
    Ok(failed.is_empty() && is_enough)
}

async fn one(arguments: &Arguments, seed: u64, dir: &Path, souk: &Path, timeline: &Arc<Timeline>) -> Result<Verdict> {
    let cluster = Arc::new(Cluster::start(dir, souk, timeline).await?);
    let variants = Arc::new(buyers::stock(&cluster).await?);
    let stop = Arc::<AtomicBool>::default();
    let mut buying = JoinSet::new();
    for number in 0..arguments.buyers {
        let buyer = buyers::register(&cluster, seed, number).await?;
        buying.spawn(buyer.buy(Arc::clone(&variants), Arc::clone(&stop)));
    }
    timeline.step("people buy");
    let mut keeping = JoinSet::new();
    keeping.spawn(inject::keep_running(Arc::clone(&cluster), Arc::clone(timeline)));
    let length = Duration::from_secs(arguments.seconds);
    let began = Instant::now();
    let could_not = inject::run(&cluster, plan::plan(seed, length, cluster::SIZE), timeline).await;
    tokio::time::sleep_until(began + length).await;
    stop.store(true, Ordering::Relaxed);
    timeline.step("faults and orders have stopped");
    let healed = Instant::now();
    let mut buyers: Vec<Buyer> = Vec::new();
    while let Some(buyer) = buying.join_next().await {
        buyers.push(buyer.context("a buyer failed")?);
    }
    cluster.wait_until_ready(REST).await?;
    wait_until_decided(&mut buyers).await?;
    timeline.step(&format!("every order is decided, {:.1} s after the last fault", healed.elapsed().as_secs_f64()));
    let mut verdict = Verdict { other: could_not, ..Verdict::default() };
    verdict.other.extend(check(&cluster).await?);
    timeline.step("`souk check` has finished");
    judge(&cluster, &mut buyers, &variants, &mut verdict).await?;
    keeping.shutdown().await;
    match Arc::try_unwrap(cluster) {
        Ok(cluster) => cluster.stop().await?,
        // The restarting task has ended; any other reference ends with this process.
        Err(_) => timeline.step("the cluster could not be stopped: it is still in use"),
    }
    Ok(verdict)
}

async fn wait_until_decided(buyers: &mut [Buyer]) -> Result<()> {
    let began = Instant::now();
    for buyer in buyers {
        loop {
            let pending: Vec<Value> =
                buyer.caller.orders().await?.into_iter().filter(|order| order["status"] == "pending").collect();
            if pending.is_empty() {
                break;
            }
            ensure!(
                began.elapsed() < REST,
                "{} orders are not decided after {} s, {} is one",
                pending.len(),
                REST.as_secs(),
                pending[0]["id"]
            );
            sleep(Duration::from_millis(500)).await;
        }
    }
    Ok(())
}

/// Runs `souk check` and returns its faults. Repeats it while suspects are unsettled: republishing may be in progress.
async fn check(cluster: &Cluster) -> Result<Vec<String>> {
    let began = Instant::now();
    loop {
        let output = cluster.command(&["check", "--json"]).output().await?;
        let report: Value = serde_json::from_slice(&output.stdout)
            .with_context(|| format!("souk check: {}", String::from_utf8_lossy(&output.stderr)))?;
        let checks = report["checks"].as_array().context("a report without checks")?;
        let open: Vec<String> = checks
            .iter()
            .filter(|check| check["failure"].is_string() || check["unsettled"] != 0)
            .map(|check| format!("souk check could not finish: {check}"))
            .collect();
        let faults = report["faults"].as_array().context("a report without faults")?;
        if faults.is_empty() && !open.is_empty() && began.elapsed() < REST {
            continue;
        }
        return Ok(faults.iter().map(|fault| format!("souk check: {fault}")).chain(open).collect());
    }
}

async fn judge(cluster: &Cluster, buyers: &mut [Buyer], variants: &[Variant], verdict: &mut Verdict) -> Result<()> {
    let money = books::read(&cluster.provider_url()).await?;
    let mut orders = BTreeSet::new();
    let mut sold: BTreeMap<usize, i64> = BTreeMap::new();
    for buyer in buyers {
        let listed = buyer.caller.orders().await?;
        verdict.compare(&buyer.receipts, &listed, &money);
        verdict.rejected += buyer.rejected;
        verdict.other.append(&mut buyer.complaints);
        let confirmed: BTreeSet<&str> = listed
            .iter()
            .filter(|order| order["status"] == "confirmed")
            .filter_map(|order| order["id"].as_str())
            .collect();
        for receipt in &buyer.receipts {
            let Some(id) = &receipt.id else { continue };
            if confirmed.contains(id.as_str()) {
                *sold.entry(receipt.variant).or_default() += receipt.quantity;
            }
            orders.insert(id.clone());
        }
    }
    verdict.compare_books(&orders, &money);
    let mut admin = Caller::new(&cluster.gateways, 0);
    admin.login_as_admin().await?;
    for (number, variant) in variants.iter().enumerate() {
        let stock = admin.expect(Method::GET, &format!("/inventory/{}", variant.id), None).await?;
        verdict.compare_stock(&variant.id, variant.on_hand, &stock, sold.get(&number).copied().unwrap_or(0));
    }
    ensure!(verdict.orders > 0, "no order was accepted, so nothing was tested");
    Ok(())
}
