use lull_types::{Code, Fault};

/// What is wrong with the provider, or with the way to it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ProviderError {
    /// The configured issuer is no address that may be asked.
    #[error("the issuer \"{0}\" is no https address without user, query and fragment: correct it in the settings")]
    Issuer(String),
    /// The machine's certificates, which say whom to believe, cannot be read.
    #[error("the certificates this machine trusts cannot be read ({0}): install its CA certificates, then try again")]
    Certificates(String),
    /// No connection, or one that broke.
    #[error("the OpenID provider at {host} cannot be reached: check the network, then try again")]
    Unreachable {
        /// Host and port that were asked.
        host: String,
    },
    /// It took longer than a request may.
    #[error("the OpenID provider at {host} took too long to answer: try again in a minute")]
    Slow {
        /// Host and port that were asked.
        host: String,
    },
    /// It answered with an error, or sent us elsewhere, which is not followed.
    #[error("the OpenID provider at {host} answered {status} at {path}: check the issuer in the settings")]
    Status {
        /// Host and port that were asked.
        host: String,
        /// The path that was asked.
        path: String,
        /// HTTP's status code.
        status: u16,
    },
    /// More bytes than an answer may have.
    #[error("the OpenID provider at {host} answered with more than {} KiB: check the issuer", crate::http::BODY_BYTES_MAX / 1024)]
    TooMuch {
        /// Host and port that were asked.
        host: String,
    },
    /// No JSON, or not what the standard says.
    #[error(
        "the OpenID provider at {host} gave an answer at {path} that OpenID Connect does not know: check the issuer"
    )]
    Malformed {
        /// Host and port that were asked.
        host: String,
        /// The path that was asked.
        path: String,
    },
    /// The provider calls itself something else.
    #[error(
        "the OpenID provider calls itself \"{found}\" and not \"{wanted}\": set the issuer to exactly what it says"
    )]
    OtherIssuer {
        /// What is configured.
        wanted: String,
        /// What discovery says, shortened.
        found: String,
    },
    /// One of its addresses would be asked without encryption.
    #[error("the OpenID provider names an address for {what} that is not https: ask whoever runs it")]
    Insecure {
        /// Which of its addresses.
        what: &'static str,
    },
    /// It says that it cannot do S256, without which a code could be stolen.
    #[error("the OpenID provider does not offer PKCE with S256, without which nobody can log in safely here")]
    NoPkce,
}

impl ProviderError {
    /// What programs branch on.
    #[must_use]
    pub const fn code(&self) -> Code {
        match self {
            Self::Issuer(_) => Code::BadRequest,
            Self::Certificates(_) => Code::Storage,
            // No connection and no answer in time are one thing to whoever waits.
            Self::Unreachable { .. } | Self::Slow { .. } => Code::Timeout,
            Self::NoPkce => Code::Unsupported,
            Self::Status { .. }
            | Self::TooMuch { .. }
            | Self::Malformed { .. }
            | Self::OtherIssuer { .. }
            | Self::Insecure { .. } => Code::BadFrame,
        }
    }
}

/// Why a login on this machine came to nothing.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum LoginError {
    /// The provider could not be asked.
    #[error(transparent)]
    Provider(#[from] ProviderError),
    /// Not 16 to 128 letters, digits, `-` and `_`.
    #[error("the login was started with a nonce that is not 16 to 128 letters and digits")]
    BadNonce,
    /// No port on the loopback interface.
    #[error("no port on 127.0.0.1 could be opened for the browser to come back to ({0}): try again")]
    Listen(String),
    /// The machine gives no random numbers.
    #[error("this machine gives no random numbers, without which nobody can log in safely")]
    NoRandom,
    /// The person, or the organisation, said no at the provider.
    #[error("the login was declined at the OpenID provider: start again if that was not meant")]
    Declined,
    /// The provider ended the login with another error.
    #[error("the OpenID provider ended the login with \"{0}\": ask whoever runs it")]
    Ended(String),
    /// A browser came back from a login that is not this one.
    #[error(
        "the browser came back from another login than the one that was started: start again, and use its newest page"
    )]
    WrongState,
    /// The answer says that another provider gave it.
    #[error("the browser came back from another OpenID provider than the one that was asked: start again")]
    Elsewhere,
    /// An answer without a code, with two, or with an endless one.
    #[error("the browser came back without a usable code: start again")]
    BadCallback,
    /// The provider did not accept the code.
    #[error("the OpenID provider did not accept the login's code (\"{0}\"): start again")]
    CodeRefused(String),
    /// The provider gave no ID token, or one that is too long to be one.
    #[error("the OpenID provider gave no usable ID token: its client must allow the scope openid")]
    NoIdToken,
    /// Nobody logged in in time.
    #[error("nobody logged in within {} minutes: start again", crate::flow::WAIT.as_secs() / 60)]
    TimedOut,
    /// Whoever started the login gave it up.
    #[error("the login was given up before it was finished")]
    Cancelled,
}

impl LoginError {
    /// What programs branch on.
    #[must_use]
    pub const fn code(&self) -> Code {
        match self {
            Self::Provider(error) => error.code(),
            Self::BadNonce | Self::BadCallback => Code::BadRequest,
            Self::Listen(_) | Self::NoRandom => Code::Internal,
            Self::Declined => Code::Forbidden,
            Self::WrongState | Self::Elsewhere | Self::Ended(_) | Self::CodeRefused(_) | Self::NoIdToken => {
                Code::Unauthorized
            }
            Self::TimedOut => Code::Timeout,
            Self::Cancelled => Code::Cancelled,
        }
    }
}

/// Why an ID token says nothing about anybody.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum TokenError {
    /// The provider's keys could not be fetched.
    #[error(transparent)]
    Provider(#[from] ProviderError),
    /// Longer than a token may be.
    #[error("the ID token is longer than {} KiB: the person is in too many groups for it", crate::check::TOKEN_BYTES_MAX / 1024)]
    TooLong,
    /// Not three parts of base64 with JSON in the first two.
    #[error("the ID token is damaged or none at all: log in again")]
    Malformed,
    /// `none`, a shared secret, or anything else that is not accepted.
    #[error("the ID token is signed with \"{0}\": the provider must use RS256, PS256, ES256 or EdDSA")]
    Algorithm(String),
    /// Made for another purpose.
    #[error("the token is of the type \"{0}\" and no ID token")]
    Type(String),
    /// It demands an extension that is not known here.
    #[error("the ID token demands an extension that is not known here")]
    Critical,
    /// The provider's keys hold none of that name, or none that fits.
    #[error("the ID token is signed with a key that the OpenID provider does not publish: log in again in a minute")]
    KeyUnknown,
    /// It names no key, and several could be meant.
    #[error("the ID token does not say which of the OpenID provider's keys signed it")]
    KeyAmbiguous,
    /// The signature is not that key's.
    #[error("the ID token's signature does not hold: log in again")]
    Signature,
    /// A claim that must be there is not.
    #[error("the ID token lacks the claim \"{0}\"")]
    Missing(&'static str),
    /// A claim is not of the kind that the standard says.
    #[error("the ID token's claim \"{0}\" is malformed")]
    Claim(&'static str),
    /// Another provider's.
    #[error("the ID token comes from another OpenID provider than this organisation's")]
    Issuer,
    /// Made for another application.
    #[error("the ID token was made for another application: log in again")]
    Audience,
    /// Several audiences, and none named as the one that asked.
    #[error("the ID token is for several applications and does not say which one asked for it")]
    NoParty,
    /// Another application asked for it.
    #[error("the ID token was asked for by another application")]
    Party,
    /// Its time is over.
    #[error("the ID token has expired: log in again")]
    Expired,
    /// Issued later than now.
    #[error("the ID token was issued in the future: compare the clocks of the relay and the OpenID provider")]
    Future,
    /// Valid later than now.
    #[error("the ID token is not valid yet: compare the clocks of the relay and the OpenID provider")]
    NotYet,
    /// From another login.
    #[error("the ID token belongs to another login or another machine: log in again")]
    Nonce,
    /// The claim that names the person is not there.
    #[error("the ID token lacks the claim \"{0}\", which names the person here: have the provider add it")]
    UserMissing(String),
    /// The provider says that nobody has checked the address.
    #[error("the OpenID provider has not verified this person's e-mail address, so it names nobody here")]
    EmailUnverified,
    /// The name is longer than it may be.
    #[error("the person's name in the ID token is longer than {} bytes", crate::person::USER_BYTES_MAX)]
    UserTooLong,
    /// The name would not look like what it is.
    #[error("the person's name in the ID token holds control characters")]
    UserControl,
    /// The groups are no list of names.
    #[error("the ID token's claim \"{0}\", which holds the groups, is no list: have the provider send one")]
    GroupsNotList(String),
}

impl TokenError {
    /// What programs branch on.
    #[must_use]
    pub const fn code(&self) -> Code {
        match self {
            Self::Provider(error) => error.code(),
            Self::Expired => Code::Expired,
            Self::Signature | Self::KeyUnknown | Self::KeyAmbiguous => Code::BadSeal,
            Self::TooLong | Self::Malformed => Code::BadRequest,
            _ => Code::Unauthorized,
        }
    }
}

impl From<ProviderError> for Fault {
    fn from(error: ProviderError) -> Self {
        Self::new(error.code(), error.to_string())
    }
}

impl From<LoginError> for Fault {
    fn from(error: LoginError) -> Self {
        Self::new(error.code(), error.to_string())
    }
}

impl From<TokenError> for Fault {
    fn from(error: TokenError) -> Self {
        Self::new(error.code(), error.to_string())
    }
}

/// What a stranger wrote, short enough and plain enough to stand in a sentence.
pub(crate) fn shown(text: &str) -> String {
    /// Characters of a stranger's text in a sentence.
    const SHOWN_MAX: usize = 120;
    let plain = |c: char| if c.is_ascii_graphic() && c != '"' || c == ' ' { c } else { '?' };
    text.chars().take(SHOWN_MAX).map(plain).collect()
}
