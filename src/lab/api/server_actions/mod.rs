//! What can be done to a server that is there; a file for each noun.

mod access;
mod backup;
mod image;
mod iso;
mod pointer;
mod power;
mod protection;
mod rebuild;
mod rescue;
mod retype;

use axum::Router;
use axum::routing::post;

use super::Cloud;

pub(crate) fn routes() -> Router<Cloud> {
    let actions = Router::new()
        .route("/attach_iso", post(iso::attach))
        .route("/change_dns_ptr", post(pointer::change))
        .route("/change_protection", post(protection::change))
        .route("/change_type", post(retype::change))
        .route("/create_image", post(image::create))
        .route("/detach_iso", post(iso::detach))
        .route("/disable_backup", post(backup::disable))
        .route("/disable_rescue", post(rescue::disable))
        .route("/enable_backup", post(backup::enable))
        .route("/enable_rescue", post(rescue::enable))
        .route("/poweroff", post(power::poweroff))
        .route("/poweron", post(power::poweron))
        .route("/reboot", post(power::reboot))
        .route("/rebuild", post(rebuild::rebuild))
        .route("/request_console", post(access::request_console))
        .route("/reset_password", post(access::reset_password))
        .route("/reset", post(power::reset))
        .route("/shutdown", post(power::shutdown));
    Router::new().nest("/v1/servers/{id}/actions", actions)
}
