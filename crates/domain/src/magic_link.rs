//! Links that sign somebody in: what one is worth where it is used. A link that was asked for in a
//! browser is worth a session in that browser, and in any other no more than a code, which is typed
//! where the link was asked for. Not here: how long it waits and whether it was used
//! (`one_time_link`), and guesses at its code (`one_time_code`).

use crate::secret::Mac;

/// By what a link is used.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Use {
    /// By the button of our page.
    Button,
    /// By the button of our page, beneath the name of the account.
    NamedButton,
    /// By a program, or by a page of the application.
    Api,
}

/// What the link is worth there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// Whoever asked has the mailbox: the link is spent, and he is signed in.
    SignIn,
    /// Somebody has the mailbox, and somebody else may have asked. Nothing is spent.
    ShowCode,
    /// Nobody knows what asked. Whoever presses the button is told whose account it is before it is
    /// spent, or anybody could sign others in to an account of his own.
    NameAccount,
}

/// Judges a link that was asked for in the browser `asked_in`, or by a program, and is used in the
/// browser `here`, as far as it shows which one it is.
pub fn judge(asked_in: Option<Mac>, here: Option<Mac>, used: Use) -> Verdict {
    match (asked_in, used) {
        (Some(browser), _) if here == Some(browser) => Verdict::SignIn,
        (Some(_), _) => Verdict::ShowCode,
        (None, Use::Button) => Verdict::NameAccount,
        (None, Use::NamedButton | Use::Api) => Verdict::SignIn,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_link_signs_in_where_it_was_asked_for() {
        let browser = |byte| Mac::from_bytes(&[byte; 32]);
        let check = |asked_in, here, used, expected| {
            assert_eq!(judge(asked_in, here, used), expected, "{asked_in:?} {here:?} {used:?}");
        };
        for used in [Use::Button, Use::NamedButton, Use::Api] {
            check(browser(1), browser(1), used, Verdict::SignIn);
            check(browser(1), browser(2), used, Verdict::ShowCode);
            check(browser(1), None, used, Verdict::ShowCode);
        }
        for here in [None, browser(1)] {
            check(None, here, Use::Button, Verdict::NameAccount);
            check(None, here, Use::NamedButton, Verdict::SignIn);
            check(None, here, Use::Api, Verdict::SignIn);
        }
    }
}
