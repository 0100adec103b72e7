//! Ends the session of the access token. The access token itself stays valid for its few minutes: nobody asks this
//! domain about each of them.

use runtime::{Commanded, Handle, Handled, Tx};
use subjects::identity::{Done, IdentityError, Logout};

use crate::{Identity, store};

impl Handle<Logout> for Identity {
    async fn handle(&self, tx: &mut Tx<'_>, command: &Commanded<Logout>) -> Handled<Done, IdentityError> {
        // The token was verified, so the session it names is the caller's own. One that has ended already stays so.
        if let Some(caller) = command.caller.user() {
            let now = tx.now();
            store::revoke_session(tx.write(), caller.session, "logout", now).await?;
        }
        Ok(Done {})
    }
}
