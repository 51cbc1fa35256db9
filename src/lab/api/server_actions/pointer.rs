//! `change_dns_ptr` of a server: of the primary IP that has the address.

use axum::extract::Path;

use crate::lab::api::action::{Command, Target};
use crate::lab::api::answer::{Created, acted};
use crate::lab::api::body::Body;
use crate::lab::api::path::Id;
use crate::lab::api::pointer::Pointer;
use crate::lab::api::project::Project;
use crate::lab::api::server::{self, Server};

pub(crate) async fn change(Project(cloud): Project, Path(Id(id)): Path<Id>, body: Body) -> Created {
    let pointer = Pointer::read(&body)?;
    cloud
        .change(|world| {
            server::check_unlocked(world, id)?;
            let addresses = server::addresses(world, id);
            let ip = addresses.into_iter().find(|ip| ip.holds(world.block(), pointer.ip));
            let ip = ip.map(|ip| ip.meta.id).ok_or_else(|| pointer.not_found())?;
            pointer.set(world.primary_ips.find_mut(ip)?);
            acted(world, Command::ChangeDnsPtr, vec![Target::of::<Server>(id)])
        })
        .await
}
