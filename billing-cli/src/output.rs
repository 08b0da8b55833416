//! The output destination. A file is written in one step.

use std::fs;
use std::io::{self, BufWriter, IsTerminal, Seek, Write};
use std::path::{Path, PathBuf};

use tempfile::{NamedTempFile, TempPath};

use crate::failure::Failure;
use crate::interrupt;

/// Standard output or a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Destination {
    Stdout,
    /// A file that is replaced in one step, so that a failure leaves the old file.
    File(PathBuf),
    /// A device or pipe that is written to directly.
    Device(PathBuf),
}

impl Destination {
    /// Checks the destination before any request is sent, so that a wrong path costs nothing.
    pub(crate) fn open(output: Option<&Path>) -> Result<Self, Failure> {
        let Some(path) = output.filter(|path| *path != Path::new("-")) else {
            return Ok(Self::Stdout);
        };
        let refuse = |why: &str| Failure::Usage(format!("--output {}: {why}", path.display()));
        match fs::metadata(path) {
            Ok(there) if there.is_dir() => Err(refuse("it is a directory: name a file in it")),
            // Resolve a link and replace the file it points to, so that the link stays.
            Ok(there) if there.is_file() => {
                let file = path.canonicalize().map_err(|error| refuse(&error.to_string()))?;
                Self::can_create_beside(&file).map_err(|error| {
                    refuse(&format!("cannot create a temporary file in its directory: {}", error.kind()))
                })?;
                Ok(Self::File(file))
            }
            Ok(_) => Ok(Self::Device(path.to_owned())),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                if path.file_name().is_none() {
                    return Err(refuse("it does not name a file"));
                }
                // Report the error kind only: the error text names the temporary file.
                let file = resolve_link(path);
                Self::can_create_beside(&file).map_err(|error| match error.kind() {
                    io::ErrorKind::NotFound => {
                        refuse("its directory does not exist: create it or name another")
                    }
                    kind => refuse(&format!("cannot create a file there: {kind}")),
                })?;
                Ok(Self::File(file))
            }
            Err(error) => Err(refuse(&error.to_string())),
        }
    }

    pub(crate) fn is_terminal(&self) -> bool {
        match self {
            Self::Stdout => io::stdout().is_terminal(),
            Self::File(_) => false,
            Self::Device(path) => is_terminal(path),
        }
    }

    /// Writes the whole result.
    pub(crate) fn write(&self, content: &[u8]) -> Result<(), Failure> {
        self.write_with(|to| to.write_all(content))
    }

    /// Writes a result while it is produced. Standard output may receive a partial result; a file is written
    /// completely or not at all.
    pub(crate) fn write_with(
        &self,
        content: impl FnOnce(&mut dyn Write) -> io::Result<()>,
    ) -> Result<(), Failure> {
        let written = match self {
            Self::Stdout => match write_buffered(&mut io::stdout().lock(), content) {
                // A closed pipe means that the reader has enough, as `head` has.
                Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
                written => written,
            },
            Self::File(path) => replace(path, content),
            Self::Device(path) => {
                let file = fs::OpenOptions::new().write(true).open(path);
                file.and_then(|mut file| write_buffered(&mut file, content))
            }
        };
        written.map_err(|error| self.write_failure(error))
    }

    /// Writes a result that may be restarted: `fill` opens an empty file each time, and the last one counts.
    pub(crate) fn write_retryable<T>(
        &self,
        fill: impl FnOnce(&mut dyn FnMut() -> io::Result<fs::File>) -> Result<T, Failure>,
    ) -> Result<T, Failure> {
        let failed = |error| self.write_failure(error);
        let mut temporary = match self {
            Self::File(path) => TemporaryFile::create_beside(path).map_err(failed)?,
            Self::Device(_) | Self::Stdout => TemporaryFile::create_in_temp_dir().map_err(failed)?,
        };
        let file = temporary.file().try_clone().map_err(failed)?;
        let filled = fill(&mut || {
            let mut empty = file.try_clone()?;
            empty.set_len(0)?;
            empty.rewind()?;
            Ok(empty)
        })
        // The temporary file does not know its destination, so the error is reported here.
        .map_err(|failure| match failure {
            Failure::Output { error, .. } => failed(error),
            other => other,
        })?;
        match self {
            Self::File(path) => temporary.replace(path).map_err(failed)?,
            Self::Device(_) | Self::Stdout => {
                temporary.file().rewind().map_err(failed)?;
                self.write_with(|to| io::copy(temporary.file(), to).map(drop))?;
            }
        }
        Ok(filled)
    }

    fn write_failure(&self, error: io::Error) -> Failure {
        Failure::Output { to: self.clone(), error }
    }

    fn can_create_beside(path: &Path) -> io::Result<()> {
        TemporaryFile::create_beside(path).map(drop)
    }
}

/// Returns true if both paths name the same file, even through links or before it exists.
pub(crate) fn is_same_file(one: &Path, other: &Path) -> bool {
    let place = |path: &Path| match path.canonicalize() {
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            let file = resolve_link(path);
            let folder = parent_dir(&file).canonicalize();
            folder.ok().zip(file.file_name()).map_or(file.clone(), |(folder, name)| folder.join(name))
        }
        canonical => canonical.unwrap_or_else(|_| path.to_owned()),
    };
    place(one) == place(other)
}

/// Returns true if a device is a terminal. Does not open a pipe, because its reader would see it end.
#[cfg(unix)]
fn is_terminal(path: &Path) -> bool {
    use std::os::unix::fs::FileTypeExt;
    let is_device = fs::metadata(path).is_ok_and(|there| there.file_type().is_char_device());
    is_device && fs::OpenOptions::new().write(true).open(path).is_ok_and(|device| device.is_terminal())
}

#[cfg(not(unix))]
fn is_terminal(_: &Path) -> bool {
    false
}

/// Returns the target of a link, even if it does not exist yet. Other paths are returned as they are. Link
/// cycles cannot occur: the system has rejected them before.
fn resolve_link(path: &Path) -> PathBuf {
    match (fs::read_link(path), path.parent()) {
        (Ok(to), Some(folder)) => resolve_link(&folder.join(to)),
        _ => path.to_owned(),
    }
}

/// Writes a new file and replaces the old one in one step. The permissions of an own file are kept, because
/// the user chose them.
fn replace(path: &Path, content: impl FnOnce(&mut dyn Write) -> io::Result<()>) -> io::Result<()> {
    let mut temporary = TemporaryFile::create_beside(path)?;
    write_buffered(temporary.file(), content)?;
    temporary.replace(path)
}

/// Replaces a file of the program itself, readable by its owner only.
pub(crate) fn replace_private(path: &Path, content: &[u8]) -> io::Result<()> {
    let mut temporary = TemporaryFile::create_beside(path)?;
    write_buffered(temporary.file(), |to| to.write_all(content))?;
    temporary.rename(path)
}

/// Copies the permissions of the old file to the new one, unless the old one belongs to another user, who
/// could have made it public to read the result.
#[cfg(unix)]
fn copy_permissions(old: &fs::Metadata, file: &fs::File) -> io::Result<()> {
    use std::os::unix::fs::{MetadataExt, PermissionsExt, fchown};
    let new = file.metadata()?;
    if old.uid() != new.uid() {
        return Ok(());
    }
    let mut permissions = old.permissions();
    if old.gid() != new.gid() && fchown(file, None, Some(old.gid())).is_err() {
        // The new file may belong to another group, so drop the group permissions.
        permissions.set_mode(permissions.mode() & !0o070);
    }
    file.set_permissions(permissions)
}

#[cfg(not(unix))]
fn copy_permissions(old: &fs::Metadata, file: &fs::File) -> io::Result<()> {
    file.set_permissions(old.permissions())
}

fn parent_dir(path: &Path) -> &Path {
    match path.parent() {
        Some(folder) if folder != Path::new("") => folder,
        _ => Path::new("."),
    }
}

fn write_buffered(
    to: &mut impl Write,
    content: impl FnOnce(&mut dyn Write) -> io::Result<()>,
) -> io::Result<()> {
    let mut buffered = BufWriter::with_capacity(BUFFER_BYTES, to);
    content(&mut buffered)?;
    buffered.flush()
}

const BUFFER_BYTES: usize = 1 << 16;

/// A temporary file that an interrupt removes too. Only its owner can read it, because it contains business
/// figures.
struct TemporaryFile(Option<(fs::File, TempPath)>);

impl TemporaryFile {
    fn create_beside(path: &Path) -> io::Result<Self> {
        let mut registered = interrupt::lock_temporary_file();
        let file = NamedTempFile::with_prefix_in(".genesys-billing-", parent_dir(path))?;
        *registered = Some(file.path().to_owned());
        drop(registered);
        Ok(Self(Some(file.into_parts())))
    }

    fn create_in_temp_dir() -> io::Result<Self> {
        Self::create_beside(&std::env::temp_dir().join("x"))
    }

    /// Replaces the old file and keeps its permissions.
    fn replace(mut self, path: &Path) -> io::Result<()> {
        if let Ok(old) = fs::metadata(path) {
            copy_permissions(&old, self.file())?;
        }
        self.file().sync_all()?;
        self.rename(path)
    }

    fn file(&mut self) -> &mut fs::File {
        match &mut self.0 {
            Some((file, _)) => file,
            None => unreachable!("it is given away by `rename` and `drop` only"),
        }
    }

    fn rename(mut self, path: &Path) -> io::Result<()> {
        let mut registered = interrupt::lock_temporary_file();
        let Some((_, temporary)) = self.0.take() else { return Ok(()) };
        let renamed = temporary.persist(path).map_err(|error| error.error);
        *registered = None;
        renamed
    }
}

impl Drop for TemporaryFile {
    fn drop(&mut self) {
        if let Some(parts) = self.0.take() {
            let mut registered = interrupt::lock_temporary_file();
            drop(parts);
            *registered = None;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(folder: &Path) -> Vec<String> {
        let mut names: Vec<_> = fs::read_dir(folder)
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        names.sort();
        names
    }

    #[test]
    fn a_file_is_replaced_whole_and_nothing_stays_behind() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("report.csv");
        Destination::open(Some(&path)).unwrap().write(b"old and longer").unwrap();
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt;
            let mode = || fs::metadata(&path).unwrap().permissions().mode() & 0o777;
            assert_eq!(mode(), 0o600, "a new file is its owner's alone");
            fs::set_permissions(&path, fs::Permissions::from_mode(0o640)).unwrap();
        }
        let destination = Destination::open(Some(&path)).unwrap();
        assert_eq!(fs::read_to_string(&path).unwrap(), "old and longer", "opening changes nothing");
        destination.write(b"new").unwrap();
        assert_eq!(fs::read_to_string(&path).unwrap(), "new");
        assert_eq!(names(folder.path()), ["report.csv"]);
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt;
            assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o640);
        }
    }

    #[cfg(unix)]
    #[test]
    fn a_file_that_somebody_else_laid_there_does_not_open_the_result() {
        use std::os::unix::fs::{MetadataExt, PermissionsExt, chown};
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("report.csv");
        let written_over = |uid: Option<u32>, gid: Option<u32>| {
            let _ = fs::remove_file(&path);
            fs::write(&path, "old").unwrap();
            fs::set_permissions(&path, fs::Permissions::from_mode(0o666)).unwrap();
            // Only root can change the owner of a file; other users skip this test.
            chown(&path, uid, gid).ok()?;
            Destination::open(Some(&path)).unwrap().write(b"new").unwrap();
            let there = fs::metadata(&path).unwrap();
            Some((there.permissions().mode() & 0o777, there.uid(), there.gid()))
        };
        let (mode, us, our_group) = written_over(None, None).unwrap();
        assert_eq!(mode, 0o666, "it is ours");
        if let Some(over) = written_over(Some(us + 1), None) {
            assert_eq!(over, (0o600, us, our_group));
            assert_eq!(written_over(None, Some(our_group + 1)), Some((0o666, us, our_group + 1)));
        }
    }

    #[test]
    fn what_fails_half_way_leaves_the_old_file() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("report.csv");
        let destination = Destination::open(Some(&path)).unwrap();
        destination.write(b"old").unwrap();
        let failure = destination.write_with(|to| {
            to.write_all(&[b'x'; 3 * BUFFER_BYTES])?;
            Err(io::Error::from(io::ErrorKind::StorageFull))
        });
        assert!(matches!(failure, Err(Failure::Output { to: Destination::File(_), .. })), "{failure:?}");
        assert_eq!(fs::read_to_string(&path).unwrap(), "old");
        assert_eq!(names(folder.path()), ["report.csv"]);
    }

    #[test]
    fn what_is_begun_anew_is_whole_or_not_there() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("invoice.pdf");
        let destination = Destination::open(Some(&path)).unwrap();
        let filled = destination.write_retryable(|open| {
            open().unwrap().write_all(b"a longer beginning that is lost").unwrap();
            open().unwrap().write_all(b"whole").unwrap();
            Ok(5)
        });
        assert_eq!((filled.unwrap(), fs::read_to_string(&path).unwrap().as_str()), (5, "whole"));
        let failed: Result<(), _> = destination.write_retryable(|open| {
            open().unwrap().write_all(b"half").unwrap();
            Err(Failure::Usage(String::new()))
        });
        assert!(failed.is_err());
        assert_eq!(fs::read_to_string(&path).unwrap(), "whole");
        assert_eq!(names(folder.path()), ["invoice.pdf"]);
    }

    #[test]
    fn a_wrong_place_is_refused_by_name() {
        let folder = tempfile::tempdir().unwrap();
        for path in [folder.path().to_owned(), folder.path().join("missing/report.csv"), PathBuf::from("/")] {
            let failure = Destination::open(Some(&path)).unwrap_err();
            assert_eq!(failure.exit_status(), 2);
            assert!(failure.to_string().contains(path.to_str().unwrap()), "{failure}");
        }
        assert!(names(folder.path()).is_empty());
    }

    #[test]
    fn a_file_is_the_same_by_any_of_its_names() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        let around = folder.path().join("..").join(folder.path().file_name().unwrap()).join("one");
        assert!(is_same_file(&at("one"), &around), "it is not there yet");
        assert!(!is_same_file(&at("one"), &at("other")));
        fs::write(at("one"), "").unwrap();
        assert!(is_same_file(&at("one"), &around));
        assert!(is_same_file(Path::new("Cargo.toml"), Path::new("./Cargo.toml")));
        assert!(!is_same_file(Path::new("Cargo.toml"), &at("Cargo.toml")));
        #[cfg(unix)]
        {
            let link = |to: &str, name: &str| std::os::unix::fs::symlink(at(to), at(name)).unwrap();
            link("one", "link");
            link("none", "to-none");
            link("circle", "circle");
            assert!(is_same_file(&at("link"), &at("one")) && is_same_file(&at("to-none"), &at("none")));
            assert!(!is_same_file(&at("circle"), &at("one")));
        }
    }

    #[test]
    fn a_dash_is_standard_output() {
        assert_eq!(Destination::open(Some(Path::new("-"))).unwrap(), Destination::Stdout);
        assert_eq!(Destination::open(None).unwrap(), Destination::Stdout);
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn a_device_is_a_terminal_if_it_is_one() {
        let special = |path: &Path| {
            let destination = Destination::open(Some(path)).unwrap();
            assert!(matches!(destination, Destination::Device(_)), "{}", path.display());
            destination.is_terminal()
        };
        // An opened `/dev/ptmx` is a terminal of this process alone.
        assert!(special(Path::new("/dev/ptmx")));
        assert!(!special(Path::new("/dev/null")));
        let folder = tempfile::tempdir().unwrap();
        let pipe = folder.path().join("pipe");
        assert!(std::process::Command::new("mkfifo").arg(&pipe).status().unwrap().success());
        assert!(!special(&pipe), "and it is not waited for a reader");
        assert!(!Destination::File("/dev/ptmx".into()).is_terminal());
    }

    #[cfg(unix)]
    #[test]
    fn a_link_stays_a_link_and_a_device_a_device() {
        let folder = tempfile::tempdir().unwrap();
        let (file, link) = (folder.path().join("file"), folder.path().join("link"));
        fs::write(&file, "old").unwrap();
        std::os::unix::fs::symlink(&file, &link).unwrap();
        Destination::open(Some(&link)).unwrap().write(b"new").unwrap();
        assert!(fs::symlink_metadata(&link).unwrap().is_symlink());
        assert_eq!(fs::read_to_string(&file).unwrap(), "new");

        // The destination file does not exist yet.
        fs::remove_file(&file).unwrap();
        let second = folder.path().join("second");
        std::os::unix::fs::symlink("link", &second).unwrap();
        Destination::open(Some(&second)).unwrap().write(b"made").unwrap();
        assert!(fs::symlink_metadata(&second).unwrap().is_symlink());
        assert_eq!(fs::read_to_string(&file).unwrap(), "made");

        let null = Destination::open(Some(Path::new("/dev/null"))).unwrap();
        assert!(matches!(null, Destination::Device(_)));
        null.write(b"gone").unwrap();
        #[cfg(target_os = "linux")]
        let full = Destination::open(Some(Path::new("/dev/full"))).unwrap().write(b"lost").unwrap_err();
        #[cfg(target_os = "linux")]
        assert!(!full.to_string().contains("was not changed"), "{full}");
        assert!(!fs::metadata("/dev/null").unwrap().is_file());
    }
}
