//! A shop whose every connection is TLS, and an authority that signs its certificates.

use std::path::{Path, PathBuf};

use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair, KeyUsagePurpose};

use super::{
    Shop,
    process::{self, Processes},
};

/// Signs certificates, and keeps everything as PEM files in a directory.
pub struct Authority {
    issuer: Issuer<'static, KeyPair>,
    directory: tempfile::TempDir,
}

impl Authority {
    pub fn new() -> Self {
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.distinguished_name.push(DnType::CommonName, uuid::Uuid::now_v7().to_string());
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::DigitalSignature];
        let key = KeyPair::generate().unwrap();
        let certificate = params.self_signed(&key).unwrap();
        let directory = tempfile::tempdir().unwrap();
        std::fs::write(directory.path().join("ca.pem"), certificate.pem()).unwrap();
        Self { issuer: Issuer::new(params, key), directory }
    }

    /// The roots by which everything it signs is known.
    pub fn ca(&self) -> PathBuf {
        self.directory.path().join("ca.pem")
    }

    /// A new certificate for a name or address, and its key.
    pub fn issue(&self, name: &str) -> (PathBuf, PathBuf) {
        let key = KeyPair::generate().unwrap();
        let certificate = CertificateParams::new(vec![name.to_owned()]).unwrap().signed_by(&key, &self.issuer).unwrap();
        let path = |kind| self.directory.path().join(format!("{}.{kind}.pem", uuid::Uuid::now_v7().simple()));
        let (to, key_to) = (path("cert"), path("key"));
        std::fs::write(&to, certificate.pem()).unwrap();
        std::fs::write(&key_to, key.serialize_pem()).unwrap();
        (to, key_to)
    }
}

/// Servers that require TLS, and perhaps a node on them that is configured by its environment alone.
pub struct Secured {
    pub shop: Shop,
    pub authority: Authority,
    /// The gateway's certificate and its key.
    pub http: (PathBuf, PathBuf),
}

impl Secured {
    /// Servers, and one node with every domain and the gateway.
    pub async fn start() -> Self {
        Self::with(|home, settings, http| {
            let servers = process::start_servers(home, settings);
            let environment = environment(home, http);
            let every = subjects::DOMAINS.join(",");
            let (node, url, metrics) =
                process::start_node(home, &environment, &["--domains", &every, "--gateway", "--check"]);
            process::seed(home, settings);
            let nats = stack::find_running(home).unwrap().nats_url();
            let url = url.unwrap().replace("http://", "https://");
            Processes { children: vec![servers, node], url, all_metrics: vec![metrics.clone()], metrics, nats }
        })
        .await
    }

    /// Servers alone.
    pub async fn servers() -> Self {
        let secured = Self::with(|home, settings, _| {
            let children = vec![process::start_servers(home, settings)];
            let nats = stack::find_running(home).unwrap().nats_url();
            Processes { children, url: String::new(), metrics: String::new(), all_metrics: Vec::new(), nats }
        })
        .await;
        // Without a domain there are no books.
        secured.shop.leave_in_disorder();
        secured
    }

    async fn with(
        start: impl FnOnce(&Path, &[(String, String)], &(PathBuf, PathBuf)) -> Processes + Send + 'static,
    ) -> Self {
        let authority = Authority::new();
        let (certificate, key) = authority.issue("127.0.0.1");
        let http = authority.issue("127.0.0.1");
        let settings = [("SOUK_STACK_CA", authority.ca()), ("SOUK_STACK_CERT", certificate), ("SOUK_STACK_KEY", key)];
        let settings = settings.map(|(name, path)| (name.to_owned(), text(&path))).to_vec();
        let of_gateway = http.clone();
        let shop = Shop::start_by(settings, move |home, settings| start(home, settings, &of_gateway)).await;
        Self { shop, authority, http }
    }

    /// The configuration of a node or a tool for these servers: URLs, certificates, passwords.
    pub fn environment(&self) -> Vec<(String, String)> {
        environment(&self.shop.stack().home, &self.http)
    }

    /// Runs a command of `souk` with these settings on top until it ends; gives whether it succeeded and what it said.
    pub async fn souk(&self, arguments: &[&str], more: &[(&str, String)]) -> (bool, String) {
        let mut settings = self.environment();
        settings.extend(more.iter().map(|(name, value)| ((*name).to_owned(), value.clone())));
        let mut command = process::souk(Path::new("/nonexistent"), &settings, arguments);
        tokio::task::spawn_blocking(move || {
            let output = command.stdin(std::process::Stdio::null()).output().unwrap();
            let said = [output.stdout, output.stderr].concat();
            (output.status.success(), String::from_utf8(said).unwrap())
        })
        .await
        .unwrap()
    }
}

fn environment(home: &Path, (certificate, key): &(PathBuf, PathBuf)) -> Vec<(String, String)> {
    let stack = stack::find_running(home).unwrap();
    let signing_key = home.join("signing-key.pem");
    if !signing_key.exists() {
        std::fs::write(&signing_key, identity::SigningKey::generate().unwrap()).unwrap();
    }
    let ca = text(stack.ca().unwrap());
    let server = format!("postgres://any@127.0.0.1:{}/postgres?sslmode=verify-full&sslrootcert={ca}", stack.pg_port);
    let mut environment = vec![
        ("SOUK_HOME".to_owned(), "/nonexistent".to_owned()),
        ("NATS_URL".to_owned(), stack.nats_url()),
        ("SOUK_NATS_CA".to_owned(), ca),
        ("SOUK_NATS_KEYS".to_owned(), text(stack.nats_keys())),
        ("DATABASE_URL".to_owned(), server),
        ("SOUK_PAYMENTS_PROVIDER".to_owned(), "simulated".to_owned()),
        ("SOUK_SIGNING_KEY".to_owned(), text(&signing_key)),
        ("SOUK_HTTP_TLS_CERT".to_owned(), text(certificate)),
        ("SOUK_HTTP_TLS_KEY".to_owned(), text(key)),
    ];
    let passwords = subjects::DOMAINS.iter().map(|domain| (*domain, stack.database_url(domain).unwrap()));
    for (role, url) in passwords.chain([("souk_check", stack.check_url("postgres"))]) {
        let password = url.split(['@', ':']).nth(2).unwrap().to_owned();
        environment.push((format!("SOUK_DB_PASSWORD_{}", role.to_uppercase()), password));
    }
    environment
}

fn text(path: &Path) -> String {
    path.to_str().unwrap().to_owned()
}
