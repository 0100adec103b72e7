//! NATS permissions per user: one table, rendered into `users.conf`.

use std::fmt::Write;

/// The user for inspecting and editing streams.
const OPERATOR: &str = "operator";
const GATEWAY: &str = "gateway";
/// The user of `souk check`, and of nodes that run the checks for admins.
const CHECK: &str = "check";
/// The user of clients without credentials; only where the listener binds loopback.
pub(crate) const CLI: &str = "cli";

/// Operations of a domain that only the operator may request: they undo, repeat or reveal the work of other users, or
/// create an admin. A compromised domain must not be able to request them from another one.
const OPERATORS_ALONE: [&str; 7] =
    ["consumed", "create_account", "dead_letters", "rebuild", "redrive", "republish", "trim"];

/// The request by which verifiers of access tokens read revocations. Domains are covered by `req.>`.
const REVOCATIONS: &str = "req.identity.internal.revocations";

struct Rights {
    user: String,
    publish: Vec<String>,
    never: Vec<String>,
    subscribe: Vec<String>,
}

/// The NATS users of a system with these domains, with one nkey each. Excludes `cli`, which exists only in the local
/// stack.
pub fn users_of(domains: &[String]) -> Vec<String> {
    domains.iter().map(String::as_str).chain([GATEWAY, CHECK, OPERATOR]).map(str::to_owned).collect()
}

/// `users.conf` for production: every public key comes from the environment variable `SOUK_NKEY_<USER>`.
pub fn production_users_conf(domains: &[String]) -> String {
    render(&table(domains, false), |user| format!("$SOUK_NKEY_{}", user.to_uppercase()))
}

/// `users.conf` of the local stack, with literal keys, and with `cli` for clients without credentials.
pub(crate) fn local_users_conf(domains: &[String], key: impl Fn(&str) -> String) -> String {
    let mut text = render(&table(domains, true), &key);
    let _ = writeln!(text, "\n# Only because this listener binds loopback.\nno_auth_user: {}", key(CLI));
    text
}

fn table(domains: &[String], local: bool) -> Vec<Rights> {
    let users = users_of(domains);
    let mut table: Vec<Rights> = domains.iter().map(|domain| of_domain(domain, domains, &users)).collect();
    table.push(Rights {
        user: GATEWAY.to_owned(),
        // Matches two tokens: `req.<domain>.internal.<operation>` has three and stays out of reach, with one exception.
        publish: texts(&[
            "req.*.*",
            REVOCATIONS,
            "$SRV.PING",
            "$SRV.PING.>",
            "$SRV.INFO",
            "$SRV.INFO.>",
            "$SRV.STATS",
            "$SRV.STATS.>",
        ]),
        never: Vec::new(),
        subscribe: texts(&["_INBOX_gateway.>", "ntf.>", "evt.>"]),
    });
    table.push(of_check(domains, &users));
    table.push(Rights {
        user: OPERATOR.to_owned(),
        // May not publish events, nor read the requests and replies of others, which carry tokens.
        publish: texts(&["req.>", "$SRV.>", "$JS.API.>", "$JS.FC.>", "$JS.ACK.>", "$SYS.REQ.USER.INFO"]),
        never: Vec::new(),
        subscribe: texts(&["_INBOX_operator.>", "evt.>", "ntf.>", "$JS.EVENT.>"]),
    });
    if local {
        table.push(Rights {
            user: CLI.to_owned(),
            publish: texts(&[
                "req.>",
                "$SRV.>",
                "$JS.API.INFO",
                "$JS.API.STREAM.NAMES",
                "$JS.API.STREAM.LIST",
                "$JS.API.STREAM.INFO.*",
                "$JS.API.CONSUMER.NAMES.*",
                "$JS.API.CONSUMER.LIST.*",
                "$JS.API.CONSUMER.INFO.*.*",
                "$SYS.REQ.USER.INFO",
            ]),
            never: texts(&["req.*.internal.>"]),
            subscribe: texts(&["evt.>", "ntf.>", "_INBOX.>"]),
        });
    }
    table
}

/// The checks read every stream through ephemeral consumers, and answer `req.operations.>`. They cannot touch the
/// durables of domains.
fn of_check(domains: &[String], users: &[String]) -> Rights {
    let mut publish = texts(&["req.*.*", REVOCATIONS]);
    publish.extend(inboxes(users));
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
    for source in domains {
        for domain in domains {
            let durable = format!("{}.{domain}-on-{source}", source.to_uppercase());
            never.extend(["CREATE", "MSG.NEXT", "DELETE"].map(|what| format!("$JS.API.CONSUMER.{what}.{durable}")));
        }
    }
    Rights {
        user: CHECK.to_owned(),
        publish,
        never,
        subscribe: texts(&["req.operations.>", "$SRV.>", "_INBOX_check.>"]),
    }
}

/// The reply inboxes of all users.
fn inboxes(users: &[String]) -> impl Iterator<Item = String> {
    std::iter::once("_INBOX.>".to_owned()).chain(users.iter().map(|user| format!("_INBOX_{user}.>")))
}

/// A domain publishes its own events, sends requests to all domains, replies to any inbox, and manages its own stream
/// and its own durables on the streams of others. It cannot delete or purge a stream.
fn of_domain(domain: &str, domains: &[String], users: &[String]) -> Rights {
    let own = domain.to_uppercase();
    let mut publish = vec![format!("evt.{domain}.>"), format!("ntf.{domain}.>"), "req.>".to_owned()];
    publish.extend(inboxes(users));
    publish.extend(texts(&["$JS.API.INFO", "$JS.API.STREAM.NAMES", "$JS.API.STREAM.INFO.*"]));
    publish.push(format!("$JS.API.STREAM.CREATE.{own}"));
    publish.push(format!("$JS.API.STREAM.UPDATE.{own}"));
    publish.push(format!("$JS.API.STREAM.MSG.GET.{own}"));
    publish.push(format!("$JS.API.DIRECT.GET.{own}"));
    publish.push(format!("$JS.API.DIRECT.GET.{own}.>"));
    for source in domains {
        let durable = format!("{}.{domain}-on-{source}", source.to_uppercase());
        publish.push(format!("$JS.API.CONSUMER.CREATE.{durable}"));
        publish.push(format!("$JS.API.CONSUMER.CREATE.{durable}.>"));
        publish.push(format!("$JS.API.CONSUMER.DURABLE.CREATE.{durable}"));
        publish.push(format!("$JS.API.CONSUMER.INFO.{durable}"));
        publish.push(format!("$JS.API.CONSUMER.MSG.NEXT.{durable}"));
    }
    Rights {
        user: domain.to_owned(),
        publish,
        never: OPERATORS_ALONE.map(|operation| format!("req.*.internal.{operation}")).to_vec(),
        subscribe: vec![format!("req.{domain}.>"), "$SRV.>".to_owned(), format!("_INBOX_{domain}.>")],
    }
}

fn render(table: &[Rights], key: impl Fn(&str) -> String) -> String {
    let mut text = String::from(
        "# The users of NATS and their rights, generated from the table in stack/src/rights.rs: do not edit by hand.\n\
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
    use std::path::Path;

    /// `UPDATE_GOLDEN=1` rewrites the file.
    #[test]
    fn the_checked_in_users_conf_is_current() {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
        let mut domains: Vec<String> = std::fs::read_dir(root.join("actors"))
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        domains.sort();
        let path = root.join("nats/users.conf");
        let wanted = production_users_conf(&domains);
        if std::env::var_os("UPDATE_GOLDEN").is_some() {
            std::fs::write(&path, &wanted).unwrap();
        }
        let present = std::fs::read_to_string(&path).unwrap_or_default();
        assert!(present == wanted, "nats/users.conf is not current: run make golden");
    }

    #[test]
    fn events_are_published_by_their_owner_and_requests_received_by_their_service() {
        let domains = texts(&["orders", "carts"]);
        for rights in table(&domains, true) {
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
        let domains = texts(&["orders", "carts"]);
        for rights in table(&domains, true).into_iter().filter(|rights| rights.user != OPERATOR) {
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
}
