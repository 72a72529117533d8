//! Panics of users' code: caught, with their message and the place where they happened.

use std::cell::{Cell, RefCell};
use std::panic::{self, AssertUnwindSafe};
use std::sync::Once;

use flare_core::filter::panic_text;

thread_local! {
    /// Whether this thread is inside of [`caught`].
    static WATCHED: Cell<bool> = const { Cell::new(false) };
    static PLACE: RefCell<Option<String>> = const { RefCell::new(None) };
}

/// Notes the place of a panic inside of [`caught`]; leaves all others to the hook that was there.
pub(crate) fn install_hook() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let before = panic::take_hook();
        panic::set_hook(Box::new(move |info| {
            if !WATCHED.get() {
                return before(info);
            }
            let place = info.location().map(|place| format!("{}:{}", place.file(), place.line()));
            PLACE.with(|noted| *noted.borrow_mut() = place);
        }));
    });
}

/// Calls `work`; a panic becomes its message, with file and line.
pub(crate) fn caught<T>(work: impl FnOnce() -> T) -> Result<T, String> {
    let outside = WATCHED.replace(true);
    let result = panic::catch_unwind(AssertUnwindSafe(work)).map_err(|payload| {
        let text = panic_text(&*payload);
        // A payload is the user's, too: dropping it may panic in its turn.
        if let Err(again) = panic::catch_unwind(AssertUnwindSafe(|| drop(payload))) {
            std::mem::forget(again);
        }
        text + &place()
    });
    WATCHED.set(outside);
    result
}

/// ", at file:line" of the panic that was caught last on this thread, if it is known.
pub(crate) fn place() -> String {
    let place = PLACE.with(|noted| noted.borrow_mut().take());
    place.map(|place| format!(", at {place}")).unwrap_or_default()
}
