//! The keys of the section `sign_in`. Not here: what they come to, which is in `config/sections`.

use super::Default::Is;
use super::{DURATION_OR_OFF, Key, ORIGINS, list, switch, text};

pub(super) const SIGN_IN: &[Key] = &[
    switch(
        "confirm_new_place",
        Is("true"),
        "With true, a browser at a place where the person has not signed in before needs a code from a \
         mail; with false the person is told by mail.",
    ),
    text(
        "magic_link",
        Is("10m"),
        "a duration from 1m to 1h, or off",
        "How long a link that somebody had mailed to sign in with is good; off: nobody signs in so.",
    ),
    list(
        "trusted_origins",
        Is(""),
        ORIGINS,
        "Other sites whose pages may send us requests that change something.",
    ),
    list("redirect_origins", Is(""), ORIGINS, "Other sites that a sign-in may lead to."),
    text(
        "first_user",
        Is("off"),
        "off or local",
        "With local, a program on this machine may make the first user, who is the owner, while there \
         is no user at all.",
    ),
    text(
        "step_up",
        Is("pages"),
        "\"pages\" or \"all\"",
        "Where what may do lasting harm asks for a sign-in of the last 15 minutes: on our pages, or \
         from API clients as well.",
    ),
    list(
        "require_second_factor",
        Is(""),
        "names of roles, such as owner",
        "Roles whose people must have a second factor.",
    ),
    text(
        "second_factor_grace",
        Is("7d"),
        DURATION_OR_OFF,
        "How long they may go on without one, from their first sign-in under that rule. Then, and at \
         once with off, signing in leads to setting one up and nowhere else.",
    ),
];
