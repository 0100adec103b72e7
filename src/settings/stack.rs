//! Configuration of the local stack.

use std::path::PathBuf;

use anyhow::{Result, bail};
use stack::{NatsUsers, StackConfig, TlsFiles};

use super::{
    Sources,
    table::{NATS_PORT, PG_PORT, STACK_CA, STACK_CERT, STACK_KEY, STACK_STATISTICS},
};

pub(super) fn stack(sources: &Sources, home: PathBuf, nats: NatsUsers) -> Result<StackConfig> {
    Ok(StackConfig {
        home,
        nats_port: sources.read(&NATS_PORT)?,
        pg_port: sources.read(&PG_PORT)?,
        domains: nats.domains.iter().map(|domain| domain.name.clone()).collect(),
        nats: Some(nats),
        tls: tls(sources)?,
        has_statistics: sources.read(&STACK_STATISTICS)?,
    })
}

/// The certificates of the servers: all of them, or none.
pub(super) fn tls(sources: &Sources) -> Result<Option<TlsFiles>> {
    match (sources.optional(&STACK_CA)?, sources.optional(&STACK_CERT)?, sources.optional(&STACK_KEY)?) {
        (Some(ca), Some(certificate), Some(key)) => Ok(Some(TlsFiles { ca, certificate, key })),
        (None, None, None) => Ok(None),
        _ => bail!("SOUK_STACK_CA, SOUK_STACK_CERT and SOUK_STACK_KEY belong together: some of them are not set"),
    }
}
