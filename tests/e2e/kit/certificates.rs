//! Certificates for mutual TLS, and openssl as a foreign peer.

use std::net::{SocketAddr, TcpListener, TcpStream};
use std::os::fd::OwnedFd;
use std::path::PathBuf;
use std::process::{Command, Stdio};

use tempfile::TempDir;

use super::program::ROOT;
use super::{Dataset, Peer, Program, Server, has};

/// A folder of keys and certificates, as `scripts/certificates.sh` makes them: one for the `server`, and
/// one for each `agency-N`.
pub struct Certificates {
    folder: TempDir,
}

impl Certificates {
    /// A new authority, the server and so many agencies, if there is an openssl here.
    pub fn make(agencies: u32) -> Option<Certificates> {
        let folder = tempfile::tempdir().unwrap();
        let certificates =
            has("openssl", &["version"], "openssl").then_some(Certificates { folder })?;
        certificates.script(&agencies.to_string());
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
        server
            .set("TLS_CERT", self.path("server/cert.pem").display())
            .set("TLS_KEY", self.path("server/cert.key").display())
            .set("TLS_CLIENT_CA", self.path("server/ca.pem").display())
            .set("TLS_CLIENT_CRL", self.path("server/crl.pem").display())
    }

    /// The client as agency with this file, with the certificate of that name.
    pub fn client(&self, server: &Server, dataset: &Dataset, name: &str) -> Program {
        Program::agency(dataset, server.address)
            .set("CLI_TLS_CA", self.path("authority/ca.pem").display())
            .set("CLI_TLS_CERT", self.path(name).join("cert.pem").display())
            .set("CLI_TLS_KEY", self.path(name).join("cert.key").display())
            .set("CLI_TLS_SERVERNAME", "localhost")
    }

    /// The options of openssl for the certificate of that name.
    pub fn own(&self, name: &str) -> String {
        let folder = self.path(name).display().to_string();
        format!("-cert {folder}/cert.pem -key {folder}/cert.key")
    }

    /// The options of openssl for trusting this authority only.
    pub fn trust(&self) -> String {
        let file = self.path("authority/ca.pem");
        format!("-verify_return_error -CAfile {}", file.display())
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
