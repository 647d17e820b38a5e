//! Proving to a mail server who we are: PLAIN, LOGIN, CRAM-MD5 or XOAUTH2.
//!
//! The password goes out as it is only where nobody can listen, or by LOGIN
//! where a file asks for mail without encryption and the server knows nothing
//! better.

use std::fmt::{self, Write as _};
use std::sync::Arc;

use data_encoding::BASE64;
use lettre::transport::smtp::authentication::{Credentials, Mechanism};
use lettre::transport::smtp::client::AsyncSmtpConnection;
use lettre::transport::smtp::commands::Ehlo;
use lettre::transport::smtp::extension::ClientId;
use md5::{Digest as _, Md5};
use settings::Secret;
use tracing::warn;

use super::Server;
use super::failure::classed;
use crate::health::{Class, Failure};
use crate::http;

/// Bytes that MD5 takes at a time.
const BLOCK: usize = 64;

/// Proves who we are, if we were given a name and the server wants to know.
pub(super) async fn prove(
    server: &Server,
    connection: &mut AsyncSmtpConnection,
) -> Result<(), Failure> {
    if server.username.is_empty() {
        return Ok(());
    }
    // PLAIN gives the password to anyone on the way.
    let safe = connection.is_encrypted() || server.is_local();
    if server.oauth.is_some() {
        return by_token(server, connection, safe).await;
    }
    let info = connection.server_info();
    let offered = |mechanism| info.supports_auth_mechanism(mechanism);
    let [plain, login] = [Mechanism::Plain, Mechanism::Login].map(offered);
    let token = offered(Mechanism::Xoauth2);
    let secret = !server.secret.is_empty();
    if (secret || !(safe && (plain || login))) && offers_cram_md5(server, connection).await? {
        return by_cram_md5(server, connection).await;
    }
    let mechanism = match (plain && safe, login) {
        (true, _) if !server.identity.is_empty() => return by_plain(server, connection).await,
        (true, _) => Mechanism::Plain,
        (false, true) => Mechanism::Login,
        // A server that asks nobody.
        (false, false) if !plain && !token => return Ok(()),
        (false, false) => {
            let detail = format!(
                "{} offers no AUTH mechanism that is usable here",
                server.address
            );
            return Err(Failure::new(Class::Auth, detail));
        }
    };
    let password = now(server, &server.password).await;
    let credentials = Credentials::new(server.username.clone(), password);
    connection
        .auth(&[mechanism], &credentials)
        .await
        .map_err(|err| classed(&err, Class::Auth))?;
    Ok(())
}

/// A secret as its file has it now, as it was before where that cannot be read: mail goes
/// out as long as the server takes it.
async fn now(server: &Server, secret: &Secret) -> String {
    secret.read().await.unwrap_or_else(|err| {
        let server = &*server.address;
        warn!(
            server,
            "cannot read the file of the mail server's password: {err}"
        );
        secret.expose().to_owned()
    })
}

/// By PLAIN in the name of somebody else, for which the client has no word.
async fn by_plain(server: &Server, connection: &mut AsyncSmtpConnection) -> Result<(), Failure> {
    let (identity, username) = (&server.identity, &server.username);
    let password = now(server, &server.password).await;
    let words = format!("{identity}\0{username}\0{password}");
    let line = Line(format!("AUTH PLAIN {}", BASE64.encode(words.as_bytes())));
    let said = connection.command(line).await;
    said.map_err(|err| classed(&err, Class::Auth))?;
    Ok(())
}

/// By a token of another server's, which is asked anew when it is refused.
async fn by_token(
    server: &Server,
    connection: &mut AsyncSmtpConnection,
    safe: bool,
) -> Result<(), Failure> {
    let bad = |why: &str| Failure::new(Class::Auth, format!("{}: {why}", server.address));
    let Some(oauth) = server.oauth.as_deref() else {
        return Ok(());
    };
    if !safe {
        return Err(bad("a token is not told without encryption"));
    }
    let info = connection.server_info();
    if !info.supports_auth_mechanism(Mechanism::Xoauth2) {
        return Err(bad("XOAUTH2 is not offered"));
    }
    let token = oauth.token(server.timeout).await?;
    let credentials = Credentials::new(server.username.clone(), token);
    let answer = connection.auth(&[Mechanism::Xoauth2], &credentials).await;
    if let Err(err) = answer {
        oauth.forget().await;
        // The reason comes as a question, to which there is no answer.
        return Err(match classed(&err, Class::Auth) {
            failure if failure.class == Class::Auth => failure,
            _ => bad("the token was refused"),
        });
    }
    Ok(())
}

/// Whether the server knows CRAM-MD5, which the client does not listen for.
async fn offers_cram_md5(
    server: &Server,
    connection: &mut AsyncSmtpConnection,
) -> Result<bool, Failure> {
    let hello = Ehlo::new(ClientId::Domain(server.hello.clone()));
    let said = connection.command(hello).await;
    let said = said.map_err(|err| classed(&err, Class::Permanent))?;
    Ok(said.message().any(|line| {
        let mut words = line.split([' ', '=']).map(str::to_ascii_uppercase);
        words.next().as_deref() == Some("AUTH") && words.any(|word| word == "CRAM-MD5")
    }))
}

async fn by_cram_md5(server: &Server, connection: &mut AsyncSmtpConnection) -> Result<(), Failure> {
    let refused = |err: &_| classed(err, Class::Auth);
    let said = connection.command(Line("AUTH CRAM-MD5".into())).await;
    let said = said.map_err(|err| refused(&err))?;
    let text = said.first_word().unwrap_or("");
    let challenge = BASE64.decode(text.as_bytes()).map_err(|_| {
        let why = format!("{} asked for a proof in no known words", server.address);
        Failure::new(Class::Auth, why)
    })?;
    let secret = match server.secret.is_empty() {
        true => &server.password,
        false => &server.secret,
    };
    let secret = now(server, secret).await;
    let proof = hmac_md5(secret.as_bytes(), &challenge);
    let answer = BASE64.encode(format!("{} {proof}", server.username).as_bytes());
    let said = connection.command(Line(answer)).await;
    said.map_err(|err| refused(&err))?;
    Ok(())
}

/// A line of the dialogue.
struct Line(String);

impl fmt::Display for Line {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{}\r\n", self.0)
    }
}

/// RFC 2104 with MD5, as hexadecimal digits.
fn hmac_md5(key: &[u8], text: &[u8]) -> String {
    let mut block = [0; BLOCK];
    if key.len() > BLOCK {
        block[..16].copy_from_slice(&Md5::digest(key));
    } else {
        block[..key.len()].copy_from_slice(key);
    }
    let padded = |with: u8| block.map(|byte| byte ^ with);
    let inner = Md5::new_with_prefix(padded(0x36))
        .chain_update(text)
        .finalize();
    let outer = Md5::new_with_prefix(padded(0x5c))
        .chain_update(inner)
        .finalize();
    let mut digits = String::new();
    for byte in outer {
        // Writing to memory cannot fail.
        let _ = write!(digits, "{byte:02x}");
    }
    digits
}

/// Who gives tokens for mail.
pub(crate) type Tokens = Arc<http::OAuth>;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn proofs_are_those_of_the_standards_examples() {
        // RFC 2104, and the example of RFC 2195.
        for (key, text, wanted) in [
            (
                &b"Jefe"[..],
                &b"what do ya want for nothing?"[..],
                "750c783e6ab0b503eaa86e310a5db738",
            ),
            (
                b"tanstaaftanstaaf",
                b"<1896.697170952@postoffice.reston.mci.net>",
                "b913a602c7eda7a495b4e6e7334d3890",
            ),
        ] {
            assert_eq!(hmac_md5(key, text), wanted);
        }
        assert_eq!(
            hmac_md5(
                &[0xaa; 80],
                b"Test Using Larger Than Block-Size Key - Hash Key First"
            ),
            "6b1ab7fe4bd7bf8f0b62e6ce61b9d0cd"
        );
    }
}
