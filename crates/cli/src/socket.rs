//! The node's Unix socket: where it lies, and how a path that is too long for one is handled.
//!
//! A socket's path may have at most 107 bytes (`sun_path`, unix(7)). For a longer one the folder is
//! opened and named as `/proc/self/fd/N`, which is the same folder under a short name.

use std::fs::File;
use std::os::fd::{AsRawFd as _, OwnedFd};
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};

use crate::failure::{Code, Failure};
use crate::home::Home;

/// The socket's name in the home.
pub const NAME: &str = "way.sock";
/// Bytes of a path that fit into `sun_path` with its final zero.
const MAX_PATH: usize = 107;

/// A path that can be used for a socket, and what keeps it valid.
struct Short {
    path: PathBuf,
    _folder: Option<OwnedFd>,
}

fn short(folder: &Path) -> std::io::Result<Short> {
    let path = folder.join(NAME);
    if path.as_os_str().as_bytes().len() <= MAX_PATH {
        return Ok(Short {
            path,
            _folder: None,
        });
    }
    let folder = OwnedFd::from(File::open(folder)?);
    let path = PathBuf::from(format!("/proc/self/fd/{}/{NAME}", folder.as_raw_fd()));
    Ok(Short {
        path,
        _folder: Some(folder),
    })
}

/// Listens on the home's socket, mode 0600. Whoever calls holds the home's lock, so a socket that
/// lies there is a dead node's and is removed.
///
/// # Errors
/// When the home cannot be written.
pub fn listen(home: &Home) -> Result<UnixListener, Failure> {
    let path = home.folder().join(NAME);
    let bind = || {
        let short = short(home.folder())?;
        match std::fs::remove_file(&short.path) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
        // Between these two lines the folder's mode 0700 is what keeps others out.
        let listener = UnixListener::bind(&short.path)?;
        let mode = std::os::unix::fs::PermissionsExt::from_mode(0o600);
        std::fs::set_permissions(&short.path, mode)?;
        listener.set_nonblocking(true)?;
        Ok(listener)
    };
    bind().map_err(|error| Failure::io("listen on", &path, &error))
}

/// Connects to the node of the home.
///
/// # Errors
/// `no-node` when none is running.
pub fn connect(home: &Home) -> Result<UnixStream, Failure> {
    use std::io::ErrorKind;
    let tried = short(home.folder()).and_then(|short| UnixStream::connect(short.path));
    tried.map_err(|error| match error.kind() {
        ErrorKind::NotFound | ErrorKind::ConnectionRefused | ErrorKind::NotADirectory => {
            no_node(home)
        }
        _ => Failure::io("connect to", &home.folder().join(NAME), &error),
    })
}

/// What to say when no node is running.
#[must_use]
pub fn no_node(home: &Home) -> Failure {
    let folder = home.folder().display();
    if home.exists() {
        Failure::new(
            Code::NoNode,
            format!("no node is running in {folder}"),
            "start it with `way up -d`",
        )
    } else {
        Failure::new(
            Code::NoNode,
            format!("there is no node in {folder} yet"),
            "create and start it with `way up -d`, or name another home with --home",
        )
    }
}

/// Removes the socket of a node that goes down.
pub fn remove(home: &Home) {
    // The next start removes it anyway; until then a client finds nobody listening.
    let _ = short(home.folder()).and_then(|short| std::fs::remove_file(short.path));
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::home::Environment;
    use std::io::{Read as _, Write as _};

    fn home(folder: &Path) -> Home {
        let home = Home::resolve(Some(folder), &Environment::default()).unwrap();
        home.create_folder().unwrap();
        home
    }

    fn talk(home: &Home) {
        let listener = listen(home).unwrap();
        let mut client = connect(home).unwrap();
        listener.set_nonblocking(false).unwrap();
        let (mut server, _) = listener.accept().unwrap();
        server.write_all(b"x").unwrap();
        let mut got = [0];
        client.read_exact(&mut got).unwrap();
        assert_eq!(&got, b"x");
        let mode = std::os::unix::fs::MetadataExt::mode(
            &std::fs::metadata(home.folder().join(NAME)).unwrap(),
        );
        assert_eq!(mode & 0o777, 0o600);
    }

    #[test]
    fn short_and_long_paths_work_and_a_dead_socket_is_replaced() {
        let temp = tempfile::tempdir().unwrap();
        let near = home(&temp.path().join("h"));
        talk(&near);
        assert_eq!(
            connect(&near).unwrap_err().code,
            Code::NoNode,
            "nobody listens there now"
        );
        talk(&near);
        let far = home(&temp.path().join("x".repeat(100)).join("y".repeat(200)));
        talk(&far);
        remove(&far);
        assert!(!far.folder().join(NAME).exists());
        assert_eq!(connect(&far).unwrap_err().code, Code::NoNode);
    }

    #[test]
    fn the_longest_path_that_fits_is_used_as_it_is() {
        let temp = tempfile::tempdir().unwrap();
        let base = temp.path().as_os_str().len() + 1;
        for length in [MAX_PATH - 1, MAX_PATH, MAX_PATH + 1] {
            let folder = temp.path().join("z".repeat(length - base - 1 - NAME.len()));
            talk(&home(&folder));
        }
    }
}
