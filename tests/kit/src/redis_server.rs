use std::{
    fs,
    io::Write as _,
    net::{Ipv4Addr, TcpListener},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::atomic::{AtomicU32, Ordering},
    time::Duration,
};

use tokio::time::sleep;

/// A real Redis on a free port of loopback, with a folder of its own. It ends with the value.
///
/// What it was told survives [`kill`](Self::kill) and [`restart`](Self::restart).
#[derive(Debug)]
pub struct RedisServer {
    process: Child,
    port: u16,
    tls_port: Option<u16>,
    folder: PathBuf,
}

impl RedisServer {
    /// Starts one; none if it is not installed, which is said where nobody captures it.
    ///
    /// # Panics
    ///
    /// With `CI=true` if it is not installed, for `scripts/setup.sh` installs it; and if it does not start.
    pub async fn start() -> Option<Self> {
        Self::begin(None).await
    }

    /// The same, which also speaks TLS on another port with this certificate and key, as PEM.
    ///
    /// # Panics
    ///
    /// As of [`start`](Self::start).
    pub async fn start_with_tls(certificate: &str, key: &str) -> Option<Self> {
        Self::begin(Some((certificate, key))).await
    }

    async fn begin(tls: Option<(&str, &str)>) -> Option<Self> {
        if !is_installed() {
            return None;
        }
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let count = COUNT.fetch_add(1, Ordering::Relaxed);
        let name = format!("bartizan-redis-{}-{count}", std::process::id());
        let folder = std::env::temp_dir().join(name);
        // Somebody else may take the port in between.
        for _ in 0..5 {
            fs::create_dir_all(&folder).unwrap();
            if let Some((certificate, key)) = tls {
                fs::write(folder.join("tls.pem"), certificate).unwrap();
                fs::write(folder.join("tls.key"), key).unwrap();
            }
            let (port, tls_port) = (free_port(), tls.map(|_| free_port()));
            let mut server = Self {
                process: run(port, tls_port, &folder),
                port,
                tls_port,
                folder: folder.clone(),
            };
            if server.is_ready().await {
                return Some(server);
            }
        }
        panic!("redis-server does not start");
    }

    /// `redis://127.0.0.1:port/`.
    pub fn url(&self) -> String {
        format!("redis://127.0.0.1:{}/", self.port)
    }

    /// `rediss://127.0.0.1:port/`, of one that speaks TLS.
    pub fn tls_url(&self) -> String {
        let port = self.tls_port.expect("it speaks TLS");
        format!("rediss://127.0.0.1:{port}/")
    }

    /// What it answers a command, as `redis-cli` prints it.
    pub fn command(&self, words: &[&str]) -> String {
        let port = self.port.to_string();
        let output = Command::new("redis-cli")
            .args(["-h", "127.0.0.1", "-p", &port])
            .args(words)
            .output()
            .unwrap();
        String::from_utf8_lossy(&output.stdout).trim().to_owned()
    }

    /// Ends it at once, as a crash would.
    pub fn kill(&mut self) {
        self.process.kill().unwrap();
        self.process.wait().unwrap();
    }

    /// The same again, after [`kill`](Self::kill), with what it was told before.
    pub async fn restart(&mut self) {
        self.process = run(self.port, self.tls_port, &self.folder);
        assert!(self.is_ready().await, "redis-server does not start again");
    }

    /// Lets it hang: connections are accepted, and nothing is answered.
    pub fn hang(&self) {
        self.signal("-STOP");
    }

    /// Lets it go on after [`hang`](Self::hang).
    pub fn go_on(&self) {
        self.signal("-CONT");
    }

    fn signal(&self, signal: &str) {
        let process = self.process.id().to_string();
        let status = Command::new("kill").args([signal, &process]).status();
        assert!(status.unwrap().success());
    }

    async fn is_ready(&mut self) -> bool {
        for _ in 0..200 {
            if self.process.try_wait().unwrap().is_some() {
                return false;
            }
            if self.command(&["PING"]) == "PONG" {
                return true;
            }
            sleep(Duration::from_millis(25)).await;
        }
        false
    }
}

impl Drop for RedisServer {
    fn drop(&mut self) {
        // It does not end while it hangs.
        let _ = self.process.kill();
        let _ = self.process.wait();
        let _ = fs::remove_dir_all(&self.folder);
    }
}

fn free_port() -> u16 {
    let free = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    free.local_addr().unwrap().port()
}

fn run(port: u16, tls_port: Option<u16>, folder: &Path) -> Child {
    let mut command = Command::new("redis-server");
    if let Some(port) = tls_port {
        command
            .args(["--tls-port", &port.to_string()])
            .args(["--tls-cert-file", "tls.pem", "--tls-key-file", "tls.key"])
            .args(["--tls-auth-clients", "no"]);
    }
    command
        .args(["--bind", "127.0.0.1", "--port", &port.to_string()])
        .args([
            "--save",
            "",
            "--appendonly",
            "yes",
            "--appendfsync",
            "always",
        ])
        .args(["--dir", "."])
        .current_dir(folder)
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap()
}

fn is_installed() -> bool {
    let runs = |program: &str| {
        let version = Command::new(program).arg("--version").output();
        version.is_ok_and(|output| output.status.success())
    };
    if runs("redis-server") && runs("redis-cli") {
        return true;
    }
    let in_ci = std::env::var("CI").is_ok_and(|ci| ci == "true");
    assert!(
        !in_ci,
        "redis-server is not installed: run scripts/setup.sh"
    );
    let name = std::thread::current().name().unwrap_or_default().to_owned();
    let _ = writeln!(
        std::io::stderr(),
        "SKIPPED {name}: run scripts/setup.sh to install redis-server"
    );
    false
}
