//! NATS permissions per user, made from what the domains and services register, and rendered into `users.conf`.

use std::fmt::Write;

use contract::subject;

/// The user for inspecting and editing streams.
const OPERATOR: &str = "operator";
const GATEWAY: &str = "gateway";
/// The user of `souk check`, and of nodes that run the checks for admins.
const CHECK: &str = "check";
/// The user of clients without credentials; only where the listener binds loopback.
pub(crate) const CLI: &str = "cli";

/// What the NATS users of a system use of one another. The rights of the users are made from it, so a domain may send
/// no request and read no stream that it does not name here.
#[derive(Debug, Clone)]
pub struct NatsUsers {
    /// The domains. Each has a user of its own.
    pub domains: Vec<NatsUser>,
    /// The service of the conservation checks, whose user is `check`.
    pub checks: NatsUser,
    /// The internal requests that the gateway sends. It may send all others.
    pub gateway: Vec<String>,
}

/// What a domain or service uses of others.
#[derive(Debug, Clone)]
pub struct NatsUser {
    /// The name of the domain or service.
    pub name: String,
    /// The subjects of the requests that it sends.
    pub requests: Vec<String>,
    /// The domains whose events it consumes.
    pub sources: Vec<String>,
}

impl NatsUsers {
    /// Domains that may each send any request and consume the events of all, for tests and tools without registrations.
    pub fn unrestricted(domains: &[&str]) -> Self {
        let domains = texts(domains);
        let user = |name: &String| NatsUser {
            name: name.clone(),
            requests: vec![subject::requests_of("*")],
            sources: domains.clone(),
        };
        let checks = NatsUser { name: "operations".to_owned(), requests: Vec::new(), sources: Vec::new() };
        Self { domains: domains.iter().map(user).collect(), checks, gateway: Vec::new() }
    }

    /// The names of all users, with one nkey each. Excludes `cli`, which exists only in the local stack.
    pub(crate) fn names(&self) -> Vec<String> {
        let domains: Vec<String> = self.domains.iter().map(|domain| domain.name.clone()).collect();
        users_of(&domains)
    }
}

/// The NATS users of a system with these domains, with one nkey each.
pub fn users_of(domains: &[String]) -> Vec<String> {
    domains.iter().map(String::as_str).chain([GATEWAY, CHECK, OPERATOR]).map(str::to_owned).collect()
}

struct Rights {
    user: String,
    publish: Vec<String>,
    never: Vec<String>,
    subscribe: Vec<String>,
}

/// `users.conf` for production: every public key comes from the environment variable `SOUK_NKEY_<USER>`.
pub fn production_users_conf(users: &NatsUsers) -> String {
    render(&table(users, false), |user| format!("$SOUK_NKEY_{}", user.to_uppercase()))
}

/// `users.conf` of the local stack, with literal keys, and with `cli` for clients without credentials.
pub(crate) fn local_users_conf(users: &NatsUsers, key: impl Fn(&str) -> String) -> String {
    let mut text = render(&table(users, true), &key);
    let _ = writeln!(text, "\n# Only because this listener binds loopback.\nno_auth_user: {}", key(CLI));
    text
}

fn table(users: &NatsUsers, local: bool) -> Vec<Rights> {
    let names = users.names();
    let mut table: Vec<Rights> = users.domains.iter().map(|domain| of_domain(domain, &names)).collect();
    table.push(of_gateway(users));
    table.push(of_check(users, &names));
    table.push(Rights {
        user: OPERATOR.to_owned(),
        // May not publish events, nor read the requests and replies of others, which carry tokens.
        publish: texts(&["req.>", "$SRV.>", "$JS.API.>", "$JS.FC.>", "$JS.ACK.>", "$SYS.REQ.USER.INFO"]),
        never: Vec::new(),
        subscribe: texts(&["_INBOX_operator.>", "evt.>", "ntf.>", "$JS.EVENT.>"]),
    });
    if local {
        let mut publish = vec![not_internal()];
        publish.extend(texts(&[
            "$SRV.>",
            "$JS.API.INFO",
            "$JS.API.STREAM.NAMES",
            "$JS.API.STREAM.LIST",
            "$JS.API.STREAM.INFO.*",
            "$JS.API.CONSUMER.NAMES.*",
            "$JS.API.CONSUMER.LIST.*",
            "$JS.API.CONSUMER.INFO.*.*",
            "$SYS.REQ.USER.INFO",
        ]));
        table.push(Rights {
            user: CLI.to_owned(),
            publish,
            never: Vec::new(),
            subscribe: texts(&["evt.>", "ntf.>", "_INBOX.>"]),
        });
    }
    table
}

/// The requests that are not internal: `req.<domain>.internal.<operation>` has one token more than this pattern.
fn not_internal() -> String {
    subject::request("*", "*", false)
}

/// The gateway forwards every request that is not internal, so it has a pattern in place of a list: a list would be
/// that of all messages, and the gateway of a new release could not be started before the servers have it.
fn of_gateway(users: &NatsUsers) -> Rights {
    let mut publish = vec![not_internal()];
    publish.extend(users.gateway.iter().cloned());
    publish.push(subject::RATES.to_owned());
    publish.extend(texts(&["$SRV.PING", "$SRV.PING.>", "$SRV.INFO", "$SRV.INFO.>", "$SRV.STATS", "$SRV.STATS.>"]));
    Rights {
        user: GATEWAY.to_owned(),
        publish,
        never: Vec::new(),
        subscribe: texts(&["_INBOX_gateway.>", "ntf.>", "evt.>", subject::RATES]),
    }
}

/// The checks read every stream through ephemeral consumers, and answer the requests of their service. They cannot
/// touch the durables of domains.
fn of_check(users: &NatsUsers, names: &[String]) -> Rights {
    let mut publish = users.checks.requests.clone();
    publish.extend(inboxes(names));
    publish.extend(texts(&[
        "$JS.API.STREAM.INFO.*",
        "$JS.API.CONSUMER.CREATE.*",
        "$JS.API.CONSUMER.CREATE.*.*",
        "$JS.API.CONSUMER.LIST.*",
        "$JS.API.CONSUMER.INFO.*.*",
        "$JS.API.CONSUMER.MSG.NEXT.*.*",
        "$JS.API.CONSUMER.DELETE.*.*",
    ]));
    let mut never = Vec::new();
    // Of all pairs, not only of those that exist: a domain that begins to consume a stream must find no such consumer.
    for source in &users.domains {
        for domain in &users.domains {
            let durable = durable(&domain.name, &source.name);
            never.extend(["CREATE", "MSG.NEXT", "DELETE"].map(|what| format!("$JS.API.CONSUMER.{what}.{durable}")));
        }
    }
    Rights {
        user: CHECK.to_owned(),
        publish,
        never,
        subscribe: vec![subject::requests_of(&users.checks.name), "$SRV.>".to_owned(), "_INBOX_check.>".to_owned()],
    }
}

/// The reply inboxes of all users.
fn inboxes(users: &[String]) -> impl Iterator<Item = String> {
    std::iter::once("_INBOX.>".to_owned()).chain(users.iter().map(|user| format!("_INBOX_{user}.>")))
}

/// The stream of `source` and the durable of `domain` on it, as subjects of the JetStream API name them.
fn durable(domain: &str, source: &str) -> String {
    format!("{}.{}", subject::stream(source), subject::durable(domain, source))
}

/// A domain publishes its own events, sends the requests that it names, replies to any inbox, and manages its own
/// stream and its own durables on the streams that it consumes. It cannot delete or purge a stream.
fn of_domain(NatsUser { name, requests, sources }: &NatsUser, users: &[String]) -> Rights {
    let own = subject::stream(name);
    let mut publish = vec![subject::events_of(name), subject::notices_of(name)];
    publish.extend(requests.iter().cloned());
    publish.extend(inboxes(users));
    publish.extend(texts(&["$JS.API.INFO", "$JS.API.STREAM.NAMES"]));
    publish.push(format!("$JS.API.STREAM.INFO.{own}"));
    publish.push(format!("$JS.API.STREAM.CREATE.{own}"));
    publish.push(format!("$JS.API.STREAM.UPDATE.{own}"));
    publish.push(format!("$JS.API.STREAM.MSG.GET.{own}"));
    publish.push(format!("$JS.API.DIRECT.GET.{own}"));
    publish.push(format!("$JS.API.DIRECT.GET.{own}.>"));
    for source in sources {
        if source != name {
            publish.push(format!("$JS.API.STREAM.INFO.{}", subject::stream(source)));
        }
        let durable = durable(name, source);
        publish.push(format!("$JS.API.CONSUMER.CREATE.{durable}"));
        publish.push(format!("$JS.API.CONSUMER.CREATE.{durable}.>"));
        publish.push(format!("$JS.API.CONSUMER.DURABLE.CREATE.{durable}"));
        publish.push(format!("$JS.API.CONSUMER.INFO.{durable}"));
        publish.push(format!("$JS.API.CONSUMER.MSG.NEXT.{durable}"));
    }
    Rights {
        user: name.clone(),
        publish,
        never: Vec::new(),
        subscribe: vec![subject::requests_of(name), "$SRV.>".to_owned(), format!("_INBOX_{name}.>")],
    }
}

fn render(table: &[Rights], key: impl Fn(&str) -> String) -> String {
    let mut text = String::from(
        "# The users of NATS and their rights, generated from the registrations of the domains: do not edit by hand.\n\
         # An inbox prefix per user, so that a user cannot read the replies to another.\n\
         authorization {\n  timeout: 2\n  users: [\n",
    );
    for rights in table {
        let _ = writeln!(text, "    # {}\n    {{ nkey: {}, permissions: {{", rights.user, key(&rights.user));
        if rights.never.is_empty() {
            let _ = writeln!(text, "      publish: [{}]", list(&rights.publish));
        } else {
            let (allow, deny) = (list(&rights.publish), list(&rights.never));
            let _ = writeln!(text, "      publish: {{ allow: [{allow}], deny: [{deny}] }}");
        }
        let _ = writeln!(text, "      subscribe: [{}]\n    }} }}", list(&rights.subscribe));
    }
    text.push_str("  ]\n}\n");
    text
}

fn list(subjects: &[String]) -> String {
    let mut text = String::new();
    for subject in subjects {
        let _ = write!(text, "\n        \"{subject}\"");
    }
    text.push_str("\n      ");
    text
}

fn texts(subjects: &[&str]) -> Vec<String> {
    subjects.iter().map(ToString::to_string).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn events_are_published_by_their_owner_and_requests_received_by_their_service() {
        for rights in table(&NatsUsers::unrestricted(&["orders", "carts"]), true) {
            let (said, own) = (format!("evt.{}.>", rights.user), format!("req.{}.>", rights.user));
            for subject in &rights.publish {
                assert!(!subject.starts_with(['>', '*']), "{}: {subject}", rights.user);
                assert!(!subject.starts_with("evt.") || *subject == said, "{}: {subject}", rights.user);
            }
            for subject in &rights.subscribe {
                assert!(!subject.starts_with(['>', '*']), "{}: {subject}", rights.user);
                let may = *subject == own || (rights.user == CHECK && subject == "req.operations.>");
                assert!(!subject.starts_with("req.") || may, "{}: {subject}", rights.user);
            }
        }
    }

    #[test]
    fn no_domain_may_delete_or_purge_or_touch_another_stream() {
        let users = NatsUsers::unrestricted(&["orders", "carts"]);
        for rights in table(&users, true).into_iter().filter(|rights| rights.user != OPERATOR) {
            for subject in rights.publish {
                assert!(!subject.contains("STREAM.DELETE") && !subject.contains("PURGE"), "{}: {subject}", rights.user);
                assert!(rights.user == CHECK || !subject.contains("DELETE"), "{}: {subject}", rights.user);
                assert!(subject != ">" && !subject.starts_with("$JS.>") && !subject.starts_with("$JS.API.>"));
                if rights.user == "orders" {
                    assert!(!subject.ends_with("CREATE.CARTS") && !subject.ends_with("UPDATE.CARTS"), "{subject}");
                }
            }
        }
    }

    #[test]
    fn a_domain_sends_the_requests_that_it_names_and_reads_the_streams_that_it_consumes() {
        let mut users = NatsUsers::unrestricted(&["orders", "carts", "payments"]);
        let calls = texts(&["req.carts.internal.contents", "req.carts.internal.log"]);
        users.domains[0].requests.clone_from(&calls);
        users.domains[0].sources = texts(&["carts"]);
        let rights = table(&users, false).swap_remove(0);
        assert_eq!(rights.user, "orders");
        let of = |start: &str| -> Vec<&str> {
            rights.publish.iter().map(String::as_str).filter(|subject| subject.starts_with(start)).collect()
        };
        assert_eq!(of("req."), calls);
        assert_eq!(of("$JS.API.STREAM.INFO."), ["$JS.API.STREAM.INFO.ORDERS", "$JS.API.STREAM.INFO.CARTS"]);
        let consumers = of("$JS.API.CONSUMER.");
        assert_eq!(consumers.len(), 5, "{consumers:?}");
        assert!(consumers.iter().all(|subject| subject.contains(".CARTS.orders-on-carts")), "{consumers:?}");
        assert!(rights.never.is_empty());
    }
}
