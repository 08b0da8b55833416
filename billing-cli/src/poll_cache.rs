//! The poll cache: the durations of earlier reports, in the user's cache directory. They are used to time the
//! polls.
//!
//! Cache problems are never errors: without the cache, polls are timed as in a first run.

use std::ffi::OsString;
use std::fs::{self, File};
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use billing_core::poll::{PollTiming, PollTimings};

use crate::args::Options;
use crate::log::{self, Verbosity};
use crate::output;

/// The path of the file, or `None` if the cache is disabled.
pub(crate) struct PollCache {
    file: Option<PathBuf>,
    verbosity: Verbosity,
}

impl PollCache {
    pub(crate) fn new(options: &Options) -> Self {
        let folder = || cache_dir(|name| std::env::var_os(name), std::env::home_dir());
        let file = (!options.no_poll_cache).then(folder).flatten().map(|folder| folder.join(FILE_NAME));
        Self { file, verbosity: options.verbosity() }
    }

    /// Loads the timings of earlier runs.
    pub(crate) fn load(&self) -> PollTimings {
        self.file.as_deref().map(|file| self.read(file)).unwrap_or_default()
    }

    /// Adds the timing of this run. If two runs end at the same moment, one timing may be lost, but the file
    /// stays valid.
    pub(crate) fn save(&self, completion: Option<PollTiming>) {
        let (Some(file), Some(completion)) = (self.file.as_deref(), completion) else { return };
        // Read the file again: other runs may have written it meanwhile.
        let mut completions = self.load();
        completions.add(completion);
        if let Err(error) = write(file, &completions) {
            self.log_problem(file, &format!("cannot be written: {error}"));
        }
    }

    fn read(&self, file: &Path) -> PollTimings {
        match read(file) {
            Ok(completions) => completions,
            Err(error) if error.kind() == io::ErrorKind::NotFound => PollTimings::default(),
            Err(error) => {
                self.log_problem(file, &format!("is invalid and will be replaced: {error}"));
                PollTimings::default()
            }
        }
    }

    fn log_problem(&self, file: &Path, what: &str) {
        log::detail(&format!("the poll cache {} {what}", file.display()), self.verbosity);
    }
}

fn read(file: &Path) -> io::Result<PollTimings> {
    let invalid = |why: String| io::Error::new(io::ErrorKind::InvalidData, why);
    if !fs::metadata(file)?.is_file() {
        return Err(invalid("it is not a regular file".to_owned()));
    }
    let mut text = String::new();
    File::open(file)?.take(MAX_FILE_BYTES).read_to_string(&mut text)?;
    serde_json::from_str(&text).map_err(|error| invalid(error.to_string()))
}

/// Replaces the file in one step, readable by its owner only.
fn write(file: &Path, completions: &PollTimings) -> io::Result<()> {
    let content = serde_json::to_vec(completions)?;
    if let Some(folder) = file.parent() {
        folder.parent().map(create_private_dir).transpose()?;
        create_private_dir(folder)?;
    }
    output::replace_private(file, &content)
}

/// Creates a private directory, but not a missing home directory.
fn create_private_dir(folder: &Path) -> io::Result<()> {
    let mut builder = fs::DirBuilder::new();
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(folder).or_else(|error| if folder.is_dir() { Ok(()) } else { Err(error) })
}

/// Returns the cache directory of the program.
fn cache_dir(variable: impl Fn(&str) -> Option<OsString>, home: Option<PathBuf>) -> Option<PathBuf> {
    // The XDG specification says to ignore relative and empty paths.
    let absolute = |name| variable(name).map(PathBuf::from).filter(|path| path.is_absolute());
    let caches = match cfg!(windows) {
        true => absolute("LOCALAPPDATA"),
        false => absolute("XDG_CACHE_HOME")
            .or_else(|| home.filter(|home| home.is_absolute()).map(|home| home.join(".cache"))),
    };
    caches.map(|caches| caches.join("genesys-billing"))
}

const FILE_NAME: &str = "poll-timings.json";
/// The size limit of the file in bytes, far above the size of a valid file.
const MAX_FILE_BYTES: u64 = 64 << 10;

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use chrono::DateTime;

    use super::*;

    fn memory(file: &Path) -> PollCache {
        PollCache { file: Some(file.to_owned()), verbosity: Verbosity::Quiet }
    }

    fn seen(second: i64) -> Option<PollTiming> {
        let at = DateTime::from_timestamp(second, 0).unwrap();
        PollTiming::new(at, Duration::from_secs(3), Duration::from_secs(9))
    }

    #[test]
    fn what_is_kept_is_recalled() {
        let home = tempfile::tempdir().unwrap();
        let file = home.path().join(".cache/genesys-billing").join(FILE_NAME);
        assert!(memory(&file).load().is_empty());
        memory(&file).save(None);
        assert!(!home.path().join(".cache").exists(), "nothing to keep, nothing made");
        (0..3).for_each(|second| memory(&file).save(seen(second)));
        assert_eq!(
            memory(&file).load().iter().copied().collect::<Vec<_>>(),
            [0, 1, 2].map(|s| seen(s).unwrap())
        );
        let folder = file.parent().unwrap();
        assert_eq!(fs::read_dir(folder).unwrap().count(), 1, "and nothing else");
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt;
            let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
            assert_eq!((mode(folder), mode(&file)), (0o700, 0o600));
            fs::set_permissions(&file, fs::Permissions::from_mode(0o644)).unwrap();
            memory(&file).save(seen(4));
            assert_eq!(mode(&file), 0o600, "whatever it was before");
        }
    }

    #[test]
    fn what_is_broken_or_foreign_is_replaced() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("genesys-billing").join(FILE_NAME);
        memory(&file).save(seen(0));
        let whole = fs::read_to_string(&file).unwrap();
        let long = whole.replace("[{", &format!("[{}{{", " ".repeat(1 << 17)));
        for broken in [&whole[..40], "", "\u{0}", "[1]", &whole.replace("version\":", "version\":9"), &long] {
            fs::write(&file, broken).unwrap();
            assert!(memory(&file).load().is_empty(), "{broken}");
            memory(&file).save(seen(1));
            assert_eq!(memory(&file).load().len(), 1);
        }
        fs::write(&file, [0xff, 0xfe]).unwrap();
        assert!(memory(&file).load().is_empty());
        fs::remove_file(&file).unwrap();
        fs::create_dir(&file).unwrap();
        assert!(memory(&file).load().is_empty());
        memory(&file).save(seen(1));
        assert!(file.is_dir(), "a folder is left alone");
    }

    #[test]
    fn nobodys_home_is_made() {
        let folder = tempfile::tempdir().unwrap();
        let home = folder.path().join("nobody");
        memory(&home.join(".cache/genesys-billing").join(FILE_NAME)).save(seen(0));
        assert!(!home.exists());
    }

    #[cfg(unix)]
    #[test]
    fn the_cache_directory_is_the_users() {
        let at = |xdg: Option<&str>, home: Option<&str>| {
            let folder = cache_dir(
                |name| xdg.filter(|_| name == "XDG_CACHE_HOME").map(Into::into),
                home.map(Into::into),
            );
            folder.map(|folder| folder.display().to_string())
        };
        let home = Some("/home/u");
        assert_eq!(at(Some("/cache"), home).as_deref(), Some("/cache/genesys-billing"));
        for xdg in [None, Some(""), Some("relative")] {
            assert_eq!(at(xdg, home).as_deref(), Some("/home/u/.cache/genesys-billing"));
        }
        assert_eq!(at(None, Some("")), None);
        assert_eq!(at(None, None), None);
    }
}
