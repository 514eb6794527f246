//! Mail: what a letter looks like, and the two ways it leaves: by SMTP, or into a list in memory for trying things out.

use crate::config::{Config, MailConfig};
use cerebros_common::accounts::OutboxMail;
use chrono::Utc;
use lettre::{
    AsyncSmtpTransport, AsyncTransport, Message, Tokio1Executor,
    message::{Mailbox, MultiPart},
    transport::smtp::extension::ClientId,
};
use std::{
    collections::VecDeque,
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

/// Of one command, and of a whole mail.
const COMMAND_DEADLINE: Duration = Duration::from_secs(10);
const DEADLINE: Duration = Duration::from_secs(30);
const OUTBOX_KEEPS: usize = 100;

/// A mail with one link. All parts are plain text, one line each.
#[derive(Clone)]
pub struct Letter {
    pub to: String,
    pub subject: String,
    /// Whom it greets.
    pub name: String,
    /// Who asked for what.
    pub why: String,
    /// What the link does, and the link.
    pub link: (String, String),
    /// How long the link works, and what to do if it was somebody else.
    pub notes: Vec<String>,
}

/// Why a mail did not leave; never names the address.
#[derive(Debug, thiserror::Error)]
pub enum MailError {
    #[error("{0}")]
    Retry(String),
    #[error("{0}")]
    Permanent(String),
}

pub enum Mailer {
    Smtp(Box<Smtp>),
    Outbox(Outbox),
}

pub struct Smtp {
    transport: AsyncSmtpTransport<Tokio1Executor>,
    from: Mailbox,
}

/// The newest mails, in memory.
#[derive(Default)]
pub struct Outbox(Mutex<VecDeque<OutboxMail>>);

impl Mailer {
    /// `None` when the operator has set up no mail.
    ///
    /// # Errors
    /// When `SMTP_URL` cannot be used.
    pub fn new(config: &Config) -> anyhow::Result<Option<Self>> {
        let (url, from) = match &config.mail {
            MailConfig::None => return Ok(None),
            MailConfig::Outbox => return Ok(Some(Self::Outbox(Outbox::default()))),
            MailConfig::Smtp { url, from } => (url, from.clone()),
        };
        // The error may hold the URL's password.
        let builder = AsyncSmtpTransport::<Tokio1Executor>::from_url(url.as_str())
            .map_err(|_| anyhow::anyhow!("SMTP_URL cannot be used: see .env.example"))?;
        let mut builder = builder.timeout(Some(COMMAND_DEADLINE));
        if let Some(host) = config.public_url.as_ref().and_then(|url| url.host_str()) {
            builder = builder.hello_name(ClientId::Domain(host.to_owned()));
        }
        let transport = builder.build();
        Ok(Some(Self::Smtp(Box::new(Smtp { transport, from }))))
    }

    pub async fn send(&self, letter: &Letter) -> Result<(), MailError> {
        match self {
            Self::Smtp(smtp) => smtp.send(letter).await,
            Self::Outbox(outbox) => {
                outbox.keep(letter);
                Ok(())
            }
        }
    }
}

impl Smtp {
    async fn send(&self, letter: &Letter) -> Result<(), MailError> {
        let unusable = |_| MailError::Permanent("the mail cannot be written to this address".to_owned());
        let to = letter.to.parse().map_err(unusable)?;
        let message = Message::builder()
            .from(self.from.clone())
            .to(Mailbox::new(None, to))
            .subject(one_line(&letter.subject))
            .multipart(MultiPart::alternative_plain_html(letter.text(), letter.html()))
            .map_err(|error| MailError::Permanent(format!("the mail cannot be put together: {error}")))?;
        match tokio::time::timeout(DEADLINE, self.transport.send(message)).await {
            Ok(Ok(_)) => Ok(()),
            Ok(Err(error)) => Err(refused(&error)),
            Err(_) => Err(MailError::Retry("the mail server did not answer in time".to_owned())),
        }
    }
}

/// The server's own words may quote the address, so only its code is passed on.
fn refused(error: &lettre::transport::smtp::Error) -> MailError {
    let what = if error.is_timeout() {
        "the mail server did not answer in time".to_owned()
    } else if error.is_tls() {
        "the TLS connection to the mail server failed".to_owned()
    } else {
        match error.status() {
            Some(code) => format!("the mail server answered {code}"),
            None => "the mail server could not be reached".to_owned(),
        }
    };
    if error.is_permanent() {
        MailError::Permanent(what)
    } else {
        MailError::Retry(what)
    }
}

impl Outbox {
    /// Newest first.
    pub fn list(&self) -> Vec<OutboxMail> {
        self.mails().iter().cloned().collect()
    }

    fn keep(&self, letter: &Letter) {
        let mut mails = self.mails();
        mails.truncate(OUTBOX_KEEPS - 1);
        mails.push_front(OutboxMail {
            to: letter.to.clone(),
            subject: one_line(&letter.subject),
            text: letter.text(),
            html: letter.html(),
            at: Utc::now(),
        });
    }

    fn mails(&self) -> MutexGuard<'_, VecDeque<OutboxMail>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Letter {
    fn text(&self) -> String {
        let (label, url) = &self.link;
        let mut text = format!("Hello {},\n\n{}\n\n", one_line(&self.name), one_line(&self.why));
        text += &format!("{}:\n{url}\n", one_line(label));
        for note in &self.notes {
            text += &format!("\n{}\n", one_line(note));
        }
        text
    }

    fn html(&self) -> String {
        let (label, url) = &self.link;
        let mut html = format!(
            "<!doctype html><html lang=\"en\"><meta charset=\"utf-8\"><title>{}</title><body>\n\
             <p>Hello {},</p>\n<p>{}</p>\n<p><a href=\"{}\">{}</a></p>\n",
            escape(&self.subject),
            escape(&self.name),
            escape(&self.why),
            escape(url),
            escape(label),
        );
        for note in &self.notes {
            html += &format!("<p>{}</p>\n", escape(note));
        }
        html + "</body></html>\n"
    }
}

/// Names come from people: none may begin a line of its own or a header.
fn one_line(text: &str) -> String {
    text.split(char::is_control)
        .filter(|part| !part.is_empty())
        .collect::<Vec<_>>()
        .join(" ")
}

fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for c in one_line(text).chars() {
        match c {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\'' => escaped.push_str("&#39;"),
            other => escaped.push(other),
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::*;

    fn letter(name: &str) -> Letter {
        Letter {
            to: "ada@example.org".to_owned(),
            subject: format!("Hello\r\nBcc: {name}"),
            name: name.to_owned(),
            why: "Somebody asked.".to_owned(),
            link: (
                "Sign in".to_owned(),
                "https://example.org/magic-link#token=0".to_owned(),
            ),
            notes: vec!["It works once.".to_owned()],
        }
    }

    #[test]
    fn names_bring_neither_markup_nor_lines() {
        let letter = letter("<b>Ada & \"Co\"</b>\r\n\r\nPay here");
        let html = letter.html();
        assert!(
            html.contains("Hello &lt;b&gt;Ada &amp; &quot;Co&quot;&lt;/b&gt; Pay here,"),
            "{html}"
        );
        assert!(letter.text().starts_with("Hello <b>Ada & \"Co\"</b> Pay here,\n"));
        let outbox = Outbox::default();
        outbox.keep(&letter);
        assert!(!outbox.list()[0].subject.contains(char::is_control));
    }

    #[test]
    fn the_outbox_keeps_the_newest() {
        let outbox = Outbox::default();
        for count in 0..=OUTBOX_KEEPS {
            outbox.keep(&letter(&count.to_string()));
        }
        let mails = outbox.list();
        assert_eq!(mails.len(), OUTBOX_KEEPS);
        assert!(mails[0].text.contains("Hello 100,"));
        assert!(mails[99].text.contains("Hello 1,"));
    }
}
