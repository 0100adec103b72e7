//! Who may say and hear what on NATS: one table, rendered into `users.conf`.

use std::fmt::Write;

/// The user of whoever inspects and edits streams.
const OPERATOR: &str = "operator";
const GATEWAY: &str = "gateway";
/// The user of a client without credentials; only where the listener binds loopback.
pub(crate) const CLI: &str = "cli";

struct Rights {
    user: String,
    publish: Vec<String>,
    never: Vec<String>,
    subscribe: Vec<String>,
}

/// The NATS users of a system with these domains, one nkey each. `cli` is not among them: it has no place but the
/// local stack.
pub fn users_of(domains: &[String]) -> Vec<String> {
    domains.iter().map(String::as_str).chain([GATEWAY, OPERATOR]).map(str::to_owned).collect()
}

/// `users.conf` for production: every public key comes from the environment, as `SOUK_NKEY_<USER>`.
pub fn production_users_conf(domains: &[String]) -> String {
    render(&table(domains, false), |user| format!("$SOUK_NKEY_{}", user.to_uppercase()))
}

/// `users.conf` of the local stack: keys in place, and `cli` for clients without credentials.
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
        // Two tokens: `req.<domain>.internal.<operation>` has three and stays out of its reach.
        publish: texts(&[
            "req.*.*",
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
    table.push(Rights {
        user: OPERATOR.to_owned(),
        publish: texts(&[">"]),
        never: Vec::new(),
        subscribe: texts(&[">"]),
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

/// A domain says its own facts, asks everybody, answers to any inbox, and keeps its own stream and its own durables
/// on the others'. It can never delete or purge one.
fn of_domain(domain: &str, domains: &[String], users: &[String]) -> Rights {
    let own = domain.to_uppercase();
    let mut publish =
        vec![format!("evt.{domain}.>"), format!("ntf.{domain}.>"), "req.>".to_owned(), "_INBOX.>".to_owned()];
    publish.extend(users.iter().map(|user| format!("_INBOX_{user}.>")));
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
        never: Vec::new(),
        subscribe: vec![format!("req.{domain}.>"), "$SRV.>".to_owned(), format!("_INBOX_{domain}.>")],
    }
}

fn render(table: &[Rights], key: impl Fn(&str) -> String) -> String {
    let mut text = String::from(
        "# The users of NATS and their rights, made from the table in stack/src/rights.rs: do not edit by hand.\n\
         # An inbox prefix per user, so that nobody hears the answers to another.\n\
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

    /// `SOUK_BLESS=1 cargo test -p stack` writes the file anew.
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
        if std::env::var_os("SOUK_BLESS").is_some() {
            std::fs::write(&path, &wanted).unwrap();
        }
        let present = std::fs::read_to_string(&path).unwrap_or_default();
        assert!(present == wanted, "nats/users.conf is not current: run SOUK_BLESS=1 cargo test -p stack");
    }

    #[test]
    fn no_domain_may_delete_or_purge_or_touch_another_stream() {
        let domains = texts(&["orders", "carts"]);
        for rights in table(&domains, true).into_iter().filter(|rights| rights.user != OPERATOR) {
            for subject in rights.publish {
                assert!(!subject.contains("DELETE") && !subject.contains("PURGE"), "{}: {subject}", rights.user);
                assert!(subject != ">" && !subject.starts_with("$JS.>") && !subject.starts_with("$JS.API.>"));
                if rights.user == "orders" {
                    assert!(!subject.ends_with("CREATE.CARTS") && !subject.ends_with("UPDATE.CARTS"), "{subject}");
                }
            }
        }
    }
}
