//! Why a probe failed: a closed set, so that it can be a label and rules can
//! tell one fault from another.

use std::fmt;
use std::io;

macro_rules! reasons {
    ($($(#[doc = $doc:literal])* $name:ident = $word:literal,)*) => {
        /// Why a probe failed.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, serde::Serialize)]
        #[serde(rename_all = "snake_case")]
        pub enum Reason {
            $($(#[doc = $doc])* $name,)*
        }

        impl Reason {
            /// All of them.
            pub const ALL: &[Self] = &[$(Self::$name,)*];

            /// The word that stands for it.
            #[must_use]
            pub fn as_str(self) -> &'static str {
                match self {
                    $(Self::$name => $word,)*
                }
            }
        }
    };
}

reasons! {
    /// The name does not exist.
    DnsNxdomain = "dns_nxdomain",
    /// The name exists, but has no address.
    DnsNoAddress = "dns_no_address",
    /// The DNS server could not answer.
    DnsServfail = "dns_servfail",
    /// The DNS server would not answer.
    DnsRefused = "dns_refused",
    /// No DNS server answered in time.
    DnsTimeout = "dns_timeout",
    /// The answer of the DNS server makes no sense, or there is no server.
    DnsError = "dns_error",
    /// The name servers answer with other addresses than they should.
    DnsWrong = "dns_wrong",
    /// The name servers do not answer alike.
    DnsDisagree = "dns_disagree",
    /// The name leads to another host than this one.
    DnsElsewhere = "dns_elsewhere",
    /// Nobody listens there.
    Refused = "refused",
    /// The connection was reset.
    Reset = "reset",
    /// There is no way to the host.
    Unreachable = "unreachable",
    /// The connection did not come about in time.
    ConnectTimeout = "connect_timeout",
    /// The connection failed otherwise.
    ConnectError = "connect_error",
    /// The certificate has expired.
    TlsExpired = "tls_expired",
    /// The certificate is not valid yet.
    TlsNotYetValid = "tls_not_yet_valid",
    /// The certificate vouches for itself.
    TlsSelfSigned = "tls_self_signed",
    /// Nobody who is trusted vouches for the certificate.
    TlsUnknownAuthority = "tls_unknown_authority",
    /// The certificate is for another name.
    TlsWrongName = "tls_wrong_name",
    /// The certificate was revoked.
    TlsRevoked = "tls_revoked",
    /// The certificate is not trusted, and a newer one on the disk is not served.
    TlsNotReloaded = "tls_not_reloaded",
    /// The TLS handshake did not end in time.
    TlsTimeout = "tls_timeout",
    /// The TLS handshake failed otherwise.
    TlsError = "tls_error",
    /// The request could not be sent in time.
    SendTimeout = "send_timeout",
    /// No answer began in time.
    FirstByteTimeout = "first_byte_timeout",
    /// The answer began, and did not end in time.
    BodyTimeout = "body_timeout",
    /// The other side closed the connection too early.
    Closed = "closed",
    /// What came is not what is spoken there.
    Protocol = "protocol",
    /// The status is not one of those wanted.
    Status = "status",
    /// The version of HTTP is not one of those wanted.
    HttpVersion = "http_version",
    /// A header is not as wanted.
    Header = "header",
    /// The body is not as wanted.
    Body = "body",
    /// The JSON in the body is not as wanted.
    Json = "json",
    /// The body is longer than it may be.
    BodyTooLarge = "body_too_large",
    /// TLS was wanted, and there was none.
    SslExpected = "ssl_expected",
    /// There was TLS, and none was wanted.
    SslUnexpected = "ssl_unexpected",
    /// One redirect leads to the next, more often than may be.
    RedirectLoop = "redirect_loop",
    /// A redirect leads nowhere.
    RedirectInvalid = "redirect_invalid",
    /// The proxy did not lead there.
    Proxy = "proxy",
    /// The records of the answer are not as wanted.
    Answer = "answer",
    /// The response code of the answer is not one of those wanted.
    Rcode = "rcode",
    /// No reply came in time.
    NoReply = "no_reply",
    /// It answers, but says that it does not serve.
    NotServing = "not_serving",
    /// There is no such program, unit, socket or task.
    Missing = "missing",
    /// It did not end in time.
    Timeout = "timeout",
    /// The command ended with another code than it should.
    ExitCode = "exit_code",
    /// It did not happen for longer than it may.
    Overdue = "overdue",
    /// The task was taken, and failed.
    TaskFailed = "task_failed",
    /// The login was refused.
    Auth = "auth",
    /// We may not do this here.
    NotPermitted = "not_permitted",
    /// Our own fault.
    Internal = "internal",
}

impl fmt::Display for Reason {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(self.as_str())
    }
}

/// A failure: its reason, and what a person may want to know beside it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure {
    /// Why.
    pub reason: Reason,
    /// In words; never holds a secret.
    pub detail: String,
}

impl Failure {
    pub(super) fn new(reason: Reason, detail: impl Into<String>) -> Self {
        let mut detail = detail.into();
        detail.truncate(detail.floor_char_boundary(300));
        Self { reason, detail }
    }

    /// What became of a connection that was being made.
    pub(super) fn connecting(err: &io::Error) -> Self {
        use io::ErrorKind as Is;
        let reason = match err.kind() {
            Is::ConnectionRefused => Reason::Refused,
            Is::ConnectionReset | Is::ConnectionAborted => Reason::Reset,
            Is::HostUnreachable
            | Is::NetworkUnreachable
            | Is::NetworkDown
            | Is::AddrNotAvailable => Reason::Unreachable,
            Is::TimedOut => Reason::ConnectTimeout,
            Is::PermissionDenied => Reason::NotPermitted,
            _ => Reason::ConnectError,
        };
        Self::new(reason, err.to_string())
    }

    /// What became of a connection that was in use.
    pub(super) fn talking(err: &io::Error) -> Self {
        use io::ErrorKind as Is;
        let reason = match err.kind() {
            Is::ConnectionReset | Is::ConnectionAborted | Is::BrokenPipe => Reason::Reset,
            Is::UnexpectedEof => Reason::Closed,
            Is::HostUnreachable | Is::NetworkUnreachable | Is::NetworkDown => Reason::Unreachable,
            // A datagram that nobody takes comes back as this.
            Is::ConnectionRefused => Reason::Refused,
            _ => Reason::Protocol,
        };
        Self::new(reason, err.to_string())
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.detail.is_empty() {
            true => write!(out, "{}", self.reason),
            false => write!(out, "{}: {}", self.reason, self.detail),
        }
    }
}

/// The result of a step of a probe.
pub(super) type Step<T> = Result<T, Failure>;
