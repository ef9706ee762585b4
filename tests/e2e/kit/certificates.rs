//! Certificates for mutual TLS, and openssl as a foreign peer.

use std::net::{SocketAddr, TcpListener, TcpStream};
use std::os::fd::OwnedFd;
use std::path::PathBuf;
use std::process::{Command, Stdio};

use tempfile::TempDir;

use super::program::ROOT;
use super::{Peer, Program, Server, has};

/// A folder of keys and certificates, as `scripts/certificates.sh` makes them: one for the `server`, and
/// one for each `agency-N`.
pub struct Certificates {
    folder: TempDir,
}

impl Certificates {
    /// A new authority, the server and so many agencies, if there is an openssl here.
    pub fn make(agencies: u32) -> Option<Certificates> {
        let folder = tempfile::tempdir().unwrap();
        let certificates = Certificates { folder };
        has("openssl", &["version"], "openssl")
            .then(|| certificates.script(&agencies.to_string()))?;
        Some(certificates)
    }

    /// Runs the script with these arguments, such as `revoke 3`.
    pub fn script(&self, arguments: &str) {
        let mut script = Command::new(format!("{ROOT}/scripts/certificates.sh"));
        script.args(arguments.split(' '));
        run(script.env("DIR", self.folder.path()));
    }

    /// Makes a certificate for `name`, from one date to another (`YYYYMMDD`), in the folder `name`.
    pub fn issue(&self, name: &str, from: u32, to: u32) {
        const ISSUE: &str = "
            mkdir $1 && cp authority/openssl.cnf $1/cnf && cat >>$1/cnf <<MORE
[list]
policy = any
serial = $1/serial
rand_serial = yes
copy_extensions = copy
new_certs_dir = $1
[any]
commonName = optional
MORE
            openssl req -config $1/cnf -new -newkey ec -pkeyopt ec_paramgen_curve:P-256 -noenc \\
                -subj /CN=$1 -addext subjectAltName=DNS:$1 -keyout $1/cert.key -out $1/request &&
            openssl ca -batch -config $1/cnf -notext -startdate ${2}000000Z \\
                -enddate ${3}000000Z -cert authority/ca.pem -keyfile authority/ca.key \\
                -in $1/request -out $1/cert.pem";
        let mut shell = Command::new("sh");
        shell.args(["-c", ISSUE, "sh", name]);
        shell.args([from.to_string(), to.to_string()]);
        run(shell.current_dir(self.folder.path()));
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// A server with its certificate and that of its agencies' authority.
    pub fn server(&self, server: Server) -> Server {
        let path = |name: &str| self.path(name).display().to_string();
        server
            .set("TLS_CERT", path("server/cert.pem"))
            .set("TLS_KEY", path("server/cert.key"))
            .set("TLS_CLIENT_CA", path("server/ca.pem"))
            .set("TLS_CLIENT_CRL", path("server/crl.pem"))
    }

    pub fn client(&self, client: Program, name: &str) -> Program {
        let path = |file| self.path(name).join(file).display().to_string();
        client
            .set("CLI_TLS_CA", self.path("authority/ca.pem").display())
            .set("CLI_TLS_CERT", path("cert.pem"))
            .set("CLI_TLS_KEY", path("cert.key"))
            .set("CLI_TLS_SERVERNAME", "localhost")
    }

    pub fn options(&self, name: &str) -> String {
        let folder = self.path(name).display().to_string();
        format!("-cert {folder}/cert.pem -key {folder}/cert.key")
    }
}

impl Peer {
    /// A connection over TLS that `openssl s_client` makes, with these options.
    pub fn over_tls(address: SocketAddr, options: &str) -> Peer {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let near = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        let far = OwnedFd::from(listener.accept().unwrap().0);
        let mut openssl = Command::new("openssl");
        openssl.args(["s_client", "-quiet", "-no_ign_eof", "-connect"]);
        openssl.arg(address.to_string()).args(options.split(' '));
        openssl.stdin(far.try_clone().unwrap()).stdout(far);
        let mut openssl = openssl.stderr(Stdio::null()).spawn().unwrap();
        // It ends with the connection.
        std::thread::spawn(move || openssl.wait());
        Peer::new(near)
    }
}

fn run(command: &mut Command) {
    let output = command.output().unwrap();
    let complaints = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{command:?}: {complaints}");
}
