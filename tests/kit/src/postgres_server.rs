use std::{
    fs::{self, DirBuilder, File},
    io::Write as _,
    net::{Ipv4Addr, TcpListener},
    os::unix::{
        fs::{DirBuilderExt as _, MetadataExt as _, PermissionsExt as _, chown},
        process::CommandExt as _,
    },
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::{Mutex, PoisonError, Weak, atomic::AtomicU32, atomic::Ordering},
    time::{Duration, Instant},
};

/// A real PostgreSQL with a folder of its own, behind a socket in it that only this user can open. It ends with the
/// value.
///
/// It does not run as root, and so here as `nobody` then. What it was told survives [`kill`](Self::kill) and
/// [`restart`](Self::restart).
#[derive(Debug)]
pub struct PostgresServer {
    process: Child,
    programs: PathBuf,
    folder: PathBuf,
    is_root: bool,
    /// Of one that speaks TLS.
    port: Option<u16>,
}

/// The database's superuser, and its password over TCP.
const USER: &str = "bartizan";
const PASSWORD: &str = "only for tests";

/// As Debian has them.
const NOBODY: u32 = 65_534;

const PATIENCE: Duration = Duration::from_secs(20);

impl PostgresServer {
    /// Starts one; none if it is not installed, which is said where nobody captures it.
    ///
    /// # Panics
    ///
    /// With `CI=true` if it is not installed, for `scripts/setup.sh` installs it; and if it does not start.
    pub fn start() -> Option<Self> {
        Self::begin(None)
    }

    /// The same, which also speaks TLS on a port of loopback with this certificate and key, as PEM.
    ///
    /// # Panics
    ///
    /// As of [`start`](Self::start).
    pub fn start_with_tls(certificate: &str, key: &str) -> Option<Self> {
        Self::begin(Some((certificate, key)))
    }

    /// One that all share who have it at the same time; the last of them ends it.
    ///
    /// # Panics
    ///
    /// As of [`start`](Self::start).
    pub fn shared() -> Option<std::sync::Arc<Self>> {
        static SHARED: Mutex<Weak<PostgresServer>> = Mutex::new(Weak::new());
        let mut shared = SHARED.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(server) = shared.upgrade() {
            return Some(server);
        }
        let server = std::sync::Arc::new(Self::start()?);
        *shared = std::sync::Arc::downgrade(&server);
        Some(server)
    }

    fn begin(tls: Option<(&str, &str)>) -> Option<Self> {
        let programs = programs()?;
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let count = COUNT.fetch_add(1, Ordering::Relaxed);
        let name = format!("bartizan-postgres-{}-{count}", std::process::id());
        let folder = std::env::temp_dir().join(name);
        DirBuilder::new().mode(0o700).create(&folder).unwrap();
        let is_root = fs::metadata(&folder).unwrap().uid() == 0;
        let own = |name: &str, text: &str| {
            let path = folder.join(name);
            fs::write(&path, text).unwrap();
            fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
            if is_root {
                chown(path, Some(NOBODY), Some(NOBODY)).unwrap();
            }
        };
        own("password", PASSWORD);
        if let Some((certificate, key)) = tls {
            own("tls.pem", certificate);
            own("tls.key", key);
        }
        if is_root {
            chown(&folder, Some(NOBODY), Some(NOBODY)).unwrap();
        }
        let made = command(&programs, "initdb", &folder, is_root)
            .args([
                "-D",
                "data",
                "-U",
                USER,
                "-E",
                "UTF8",
                "--locale=C",
                "--no-sync",
            ])
            .args([
                "--auth-local=trust",
                "--auth-host=scram-sha-256",
                "--pwfile=password",
            ])
            .status();
        assert!(made.unwrap().success(), "initdb: {}", log(&folder));
        // Somebody else may take the port in between.
        for _ in 0..5 {
            let port = tls.map(|_| free_port());
            let mut server = Self {
                process: run(&programs, &folder, is_root, port),
                programs: programs.clone(),
                folder: folder.clone(),
                is_root,
                port,
            };
            if server.is_ready() {
                return Some(server);
            }
            // It goes with its folder.
            assert!(port.is_some(), "postgres: {}", log(&folder));
            std::mem::forget(server);
        }
        panic!("postgres: {}", log(&folder));
    }

    /// How to connect through its socket, as the superuser and without a password.
    pub fn url(&self) -> String {
        format!("host={} user={USER} dbname=postgres", self.folder.display())
    }

    /// How to connect over TCP, without the password.
    pub fn tls_url(&self) -> String {
        let port = self.port.expect("it speaks TLS");
        format!("host=localhost hostaddr=127.0.0.1 port={port} user={USER} dbname=postgres")
    }

    /// The password, which is asked for over TCP.
    pub fn password(&self) -> &'static str {
        PASSWORD
    }

    /// Ends it at once, without closing anything, as a crash would.
    pub fn kill(&mut self) {
        self.go_on();
        signal("-QUIT", &[self.process.id()]);
        let began = Instant::now();
        while self.process.try_wait().unwrap().is_none() {
            if began.elapsed() > PATIENCE {
                let _ = self.process.kill();
            }
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    /// The same again, after [`kill`](Self::kill), with what it was told before.
    pub fn restart(&mut self) {
        self.process = run(&self.programs, &self.folder, self.is_root, self.port);
        assert!(self.is_ready(), "postgres: {}", log(&self.folder));
    }

    /// Lets it hang: connections are accepted, and nothing is answered.
    pub fn hang(&self) {
        // First whoever would begin new ones.
        signal("-STOP", &[self.process.id()]);
        signal("-STOP", &self.children());
    }

    /// Lets it go on after [`hang`](Self::hang).
    pub fn go_on(&self) {
        signal("-CONT", &self.children());
        signal("-CONT", &[self.process.id()]);
    }

    /// Each connection has a process, which has a session of its own.
    fn children(&self) -> Vec<u32> {
        let process = self.process.id();
        let children = fs::read_to_string(format!("/proc/{process}/task/{process}/children"));
        let children = children.unwrap_or_default();
        children
            .split(' ')
            .filter_map(|id| id.parse().ok())
            .collect()
    }

    fn is_ready(&mut self) -> bool {
        let began = Instant::now();
        while began.elapsed() < PATIENCE {
            if self.process.try_wait().unwrap().is_some() {
                return false;
            }
            let status = fs::read_to_string(self.folder.join("data/postmaster.pid"));
            let ours = self.process.id().to_string();
            let is_ready = |text: &str| {
                text.lines().next() == Some(&ours)
                    && text
                        .lines()
                        .nth(7)
                        .is_some_and(|line| line.trim() == "ready")
            };
            if status.is_ok_and(|text| is_ready(&text)) {
                return true;
            }
            std::thread::sleep(Duration::from_millis(10));
        }
        false
    }
}

impl Drop for PostgresServer {
    fn drop(&mut self) {
        if self.process.try_wait().is_ok_and(|status| status.is_none()) {
            self.kill();
        }
        let _ = fs::remove_dir_all(&self.folder);
    }
}

fn run(programs: &Path, folder: &Path, is_root: bool, port: Option<u16>) -> Child {
    let mut command = command(programs, "postgres", folder, is_root);
    let socket = format!("unix_socket_directories={}", folder.display());
    // A crash of the process loses nothing that the system was told; only that is tried.
    command.args(["-D", "data", "-c", &socket, "-c", "fsync=off"]);
    match port {
        None => command.args(["-c", "listen_addresses="]),
        Some(port) => command
            .args(["-c", "listen_addresses=127.0.0.1", "-c", "ssl=on"])
            .args([
                "-c",
                "ssl_cert_file=../tls.pem",
                "-c",
                "ssl_key_file=../tls.key",
            ])
            .args(["-p", &port.to_string()]),
    };
    command.spawn().unwrap()
}

fn command(programs: &Path, name: &str, folder: &Path, is_root: bool) -> Command {
    let mut command = Command::new(programs.join(name));
    let log = File::options()
        .append(true)
        .create(true)
        .open(folder.join("log"));
    let log = log.unwrap();
    command
        .current_dir(folder)
        .env_clear()
        .stdin(Stdio::null())
        .stdout(log.try_clone().unwrap())
        .stderr(log);
    if is_root {
        command.uid(NOBODY).gid(NOBODY);
    }
    command
}

fn log(folder: &Path) -> String {
    fs::read_to_string(folder.join("log")).unwrap_or_default()
}

fn signal(signal: &str, processes: &[u32]) {
    let ids = processes.iter().map(u32::to_string);
    // One that has ended by itself is none to wonder about.
    let mut kill = Command::new("kill");
    let _ = kill.arg(signal).args(ids).stderr(Stdio::null()).status();
}

fn free_port() -> u16 {
    let free = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    free.local_addr().unwrap().port()
}

/// The folder of the newest one's programs, which Debian keeps out of the path.
fn programs() -> Option<PathBuf> {
    let versions = fs::read_dir("/usr/lib/postgresql").into_iter().flatten();
    let number = |path: &PathBuf| -> Option<u32> { path.file_name()?.to_str()?.parse().ok() };
    let versions = versions.filter_map(|entry| Some(entry.ok()?.path()));
    let newest = versions.max_by_key(number).map(|path| path.join("bin"));
    let path = std::env::var_os("PATH").unwrap_or_default();
    let found = newest
        .into_iter()
        .chain(std::env::split_paths(&path))
        .find(|folder| {
            ["initdb", "postgres"]
                .iter()
                .all(|name| folder.join(name).is_file())
        });
    if found.is_some() {
        return found;
    }
    let in_ci = std::env::var("CI").is_ok_and(|ci| ci == "true");
    assert!(!in_ci, "PostgreSQL is not installed: run scripts/setup.sh");
    let name = std::thread::current().name().unwrap_or_default().to_owned();
    let _ = writeln!(
        std::io::stderr(),
        "SKIPPED {name}: run scripts/setup.sh to install PostgreSQL"
    );
    None
}
