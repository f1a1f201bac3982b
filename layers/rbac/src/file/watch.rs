//! A file that is looked at now and then.

use std::{
    fmt,
    path::PathBuf,
    pin::Pin,
    task::{Context, Poll},
    time::Duration,
};

use bartizan_core::WholeFile;
use sha2::{Digest, Sha256};
use tokio::{
    task::spawn_blocking,
    time::{MissedTickBehavior, interval},
};

use super::MOST_BYTES;
use crate::{PolicyHandle, RbacConfigError, handle::WeakHandle};

/// Looks at a policy's file now and then; made by [`PolicyHandle::watch_file`].
#[must_use = "a future does nothing unless it is spawned or awaited"]
pub struct PolicyWatch(Pin<Box<dyn Future<Output = ()> + Send>>);

const SHORTEST: Duration = Duration::from_millis(100);
const LONGEST: Duration = Duration::from_secs(86_400);

impl PolicyHandle {
    /// Looks at a policy's file now and then, and judges by what it says, as
    /// [`reload_file`](Self::reload_file) does. To be spawned on a runtime of tokio with its time switched
    /// on; it ends when nobody holds a handle any more, nor a layer or service of it.
    ///
    /// A text is taken once two looks in a row found the same, so that a file which is written in place is not
    /// taken in part, unless its writer pauses that long. What the file says at the beginning is taken too.
    /// After that a text is taken when it changes and not before, whatever is swapped in by other ways.
    ///
    /// A file that is wrong, or away, leaves the policy before in force, and one event `policy_refused` tells
    /// of each such change, and not of each look. The whole file is read each time, on a thread that may
    /// wait: neither a clock that stands nor a file system without times hides a change.
    ///
    /// ```no_run
    /// use std::time::Duration;
    /// use bartizan_core::Events;
    /// use bartizan_rbac::{RbacConfig, RbacLayer};
    /// # async fn run() -> Result<(), Box<dyn std::error::Error>> {
    /// let config = RbacConfig::from_toml(&std::fs::read_to_string("policy.toml")?)?;
    /// let layer = RbacLayer::from_config(config, Events::default())?;
    /// tokio::spawn(layer.handle().watch_file("policy.toml", Duration::from_secs(5))?);
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    ///
    /// If `every` is not within 100 milliseconds to one day.
    pub fn watch_file(
        &self,
        path: impl Into<PathBuf>,
        every: Duration,
    ) -> Result<PolicyWatch, RbacConfigError> {
        if !(SHORTEST..=LONGEST).contains(&every) {
            let problem = "is not within 100 milliseconds to one day";
            return Err(RbacConfigError::new(
                "interval",
                &format!("{every:?}"),
                problem,
            ));
        }
        let watch = watch(self.downgrade(), Watched::new(path.into()), every);
        Ok(PolicyWatch(Box::pin(watch)))
    }
}

async fn watch(handle: WeakHandle, mut watched: Watched, every: Duration) {
    let mut looks = interval(every);
    looks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        looks.tick().await;
        let Some(handle) = handle.upgrade() else {
            return;
        };
        let path = watched.path.clone();
        let look = spawn_blocking(move || {
            watched.look(&handle);
            watched
        });
        match look.await {
            Ok(looked) => watched = looked,
            // Whoever hears of events panicked. The file is looked at anew.
            Err(error) if error.is_panic() => watched = Watched::new(path),
            Err(_) => return,
        }
    }
}

/// A file, and what the last look at it found.
struct Watched {
    path: PathBuf,
    found: Option<Found>,
    /// Whether that was taken, or refused.
    is_told: bool,
}

/// What tells two looks apart.
#[derive(PartialEq, Eq)]
enum Found {
    /// The digest of its text.
    Text([u8; 32]),
    Problem(String),
}

impl Watched {
    fn new(path: PathBuf) -> Self {
        Self {
            path,
            found: None,
            is_told: false,
        }
    }

    fn look(&mut self, handle: &PolicyHandle) {
        let read = WholeFile::read(&self.path, MOST_BYTES);
        let found = Some(match &read {
            Ok(file) => Found::Text(Sha256::digest(&file.text).into()),
            Err(problem) => Found::Problem(problem.to_string()),
        });
        if found != self.found {
            self.found = found;
            self.is_told = false;
        } else if !self.is_told {
            self.is_told = true;
            // An event tells of it if it is refused.
            let _ = handle.reload_read(&self.path, read);
        }
    }
}

impl Future for PolicyWatch {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        self.0.as_mut().poll(cx)
    }
}

impl fmt::Debug for PolicyWatch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PolicyWatch").finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use std::{
        fs,
        sync::{Arc, Mutex},
    };

    use bartizan_core::Events;

    use super::*;
    use crate::Policy;

    struct Scene {
        watched: Watched,
        handle: PolicyHandle,
        events: Arc<Mutex<Vec<String>>>,
    }

    impl Scene {
        fn new(test: &str) -> Self {
            let name = format!("bartizan-rbac-watch-{test}-{}", std::process::id());
            let directory = std::env::temp_dir().join(name);
            fs::create_dir_all(&directory).unwrap();
            let events = Arc::new(Mutex::new(Vec::new()));
            let told = Arc::clone(&events);
            let events_to = Events::to(move |event| {
                let told_of = format!("{} {}", event.kind, event.detail);
                told.lock().unwrap().push(told_of);
            });
            let coded = Policy::builder().version("coded").build().unwrap();
            Self {
                watched: Watched::new(directory.join("policy.toml")),
                handle: PolicyHandle::with_events(coded, events_to),
                events,
            }
        }

        fn write(&self, text: &str) {
            fs::write(&self.watched.path, text).unwrap();
        }

        /// So many looks; the version in force then, and what was told.
        fn look(&mut self, times: usize) -> (String, Vec<String>) {
            for _ in 0..times {
                self.watched.look(&self.handle);
            }
            let told = std::mem::take(&mut *self.events.lock().unwrap());
            let told = told
                .into_iter()
                .map(|event| event.split(' ').next().unwrap().to_owned());
            (self.handle.policy().version().to_owned(), told.collect())
        }
    }

    impl Drop for Scene {
        fn drop(&mut self) {
            _ = self.watched.path.parent().map(fs::remove_dir_all);
        }
    }

    fn policy(version: &str) -> String {
        format!("version = '{version}'\npreset = 'enterprise'\n")
    }

    fn is(version: &str, events: &[&str]) -> (String, Vec<String>) {
        let events = events.iter().map(|event| (*event).to_owned());
        (version.to_owned(), events.collect())
    }

    #[test]
    fn a_text_is_taken_once_when_two_looks_found_it() {
        let mut scene = Scene::new("taken");
        scene.write(&policy("1"));
        assert_eq!(scene.look(1), is("coded", &[]));
        assert_eq!(scene.look(1), is("1", &["policy_swapped"]));
        assert_eq!(scene.look(5), is("1", &[]));
        // In part, whole, and the same again.
        scene.write("version = '2'\n");
        assert_eq!(scene.look(1), is("1", &[]));
        scene.write(&policy("2"));
        assert_eq!(scene.look(1), is("1", &[]));
        assert_eq!(scene.look(3), is("2", &["policy_swapped"]));
        scene.write(&policy("2"));
        assert_eq!(scene.look(3), is("2", &[]));
        // What was swapped in by hand stays until the file changes.
        scene
            .handle
            .swap(Policy::builder().version("hand").build().unwrap());
        assert_eq!(scene.look(3), is("hand", &["policy_swapped"]));
    }

    #[test]
    fn what_is_wrong_is_told_once_for_each_change_and_the_policy_stays() {
        let mut scene = Scene::new("wrong");
        scene.write(&policy("1"));
        assert_eq!(scene.look(2), is("1", &["policy_swapped"]));
        scene.write("presets = 1");
        assert_eq!(scene.look(9), is("1", &["policy_refused"]));
        scene.write("presets = 2");
        assert_eq!(scene.look(9), is("1", &["policy_refused"]));
        fs::remove_file(&scene.watched.path).unwrap();
        assert_eq!(scene.look(9), is("1", &["policy_refused"]));
        fs::create_dir(&scene.watched.path).unwrap();
        assert_eq!(scene.look(9), is("1", &["policy_refused"]));
        fs::remove_dir(&scene.watched.path).unwrap();
        scene.write(&policy("1"));
        assert_eq!(scene.look(9), is("1", &["policy_swapped"]));
    }

    #[test]
    fn an_interval_out_of_range_is_named() {
        let scene = Scene::new("interval");
        for every in [Duration::ZERO, Duration::from_secs(86_401)] {
            let error = scene.handle.watch_file("p.toml", every).unwrap_err();
            assert!(
                error.to_string().contains(&format!("`{every:?}`")),
                "{error}"
            );
        }
    }

    #[tokio::test(start_paused = true)]
    async fn it_ends_with_the_last_handle() {
        let mut scene = Scene::new("ends");
        scene.write(&policy("1"));
        let path = scene.watched.path.clone();
        let watch = scene.handle.watch_file(path, SHORTEST).unwrap();
        let watch = tokio::spawn(watch);
        let version = async {
            while scene.handle.policy().version() != "1" {
                tokio::time::sleep(SHORTEST).await;
            }
        };
        tokio::time::timeout(Duration::from_secs(30), version)
            .await
            .unwrap();
        scene.handle = PolicyHandle::new(Policy::builder().build().unwrap());
        tokio::time::timeout(Duration::from_secs(30), watch)
            .await
            .unwrap()
            .unwrap();
    }
}
