//! Serves on a socket, and shuts down in phases without failing a request.

use std::io;

use server::{Options, Stage};
use tokio::{net::TcpListener, sync::watch, time::sleep};

use crate::{
    app::app,
    http::error::GATEWAY,
    server::{
        gateway::{Gateway, GatewayConfig},
        notices, rates,
    },
};

/// Serves on a socket until `shutdown` completes, then shuts down in the configured phases. Requests that exceed the
/// timeout are cut.
///
/// # Errors
/// If the socket cannot be used.
pub async fn serve(
    listener: TcpListener,
    config: GatewayConfig,
    shutdown: impl Future<Output = ()> + Send,
) -> io::Result<()> {
    let (tls, phases) = (config.tls.clone(), config.shutdown);
    let gateway = Gateway::new(config);
    let options = Options { tls, timeout: phases.timeout, ..Options::new(GATEWAY) };
    let (stage, stages) = watch::channel(Stage::Open);
    let leave = async {
        shutdown.await;
        gateway.drain();
        sleep(phases.accepting).await;
        stage.send_replace(Stage::Draining);
        sleep(phases.notice.saturating_sub(phases.accepting)).await;
        stage.send_replace(Stage::Closing);
    };
    let serving = async { tokio::join!(server::serve(listener, app(gateway.clone()), options, stages), leave).0 };
    let served = tokio::select! {
        served = serving => served,
        never = notices::receive(&gateway) => match never {},
        never = rates::exchange(&gateway) => match never {},
    };
    rates::stop(&gateway).await;
    served
}
