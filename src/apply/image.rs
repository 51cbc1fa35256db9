//! Makes an image: a server with everything installed and nothing of its own, of which a snapshot is kept.
//!
//! The server, the builder, lives for one run only. It is known by its name, which is unique, and by a label; nothing of it is in
//! the state but what was done. So whatever a run leaves behind, a later one removes.

mod builder;
mod snapshot;

use anyhow::{Context as _, Result, ensure};

use super::instance::{self, Done};
use super::line::{Line, server, target};
use super::{Interrupted, Point, World, host};
use crate::host::image;
use crate::model::event::What;
use crate::model::image::Recipe;
use crate::model::instance::{Instance, Server, Stage};
use crate::plan::{IMAGE, ImagePlan, ImageStep};
use crate::ssh::Target;
use crate::store::Lease;

/// What it is called where it is told what happens.
const SUBJECT: &str = "image";

/// An image that is being made.
struct Making {
    /// The builder, as far as it has got; it is in no state.
    builder: Instance,
    recipe: Recipe,
    /// The snapshot, once it is made.
    image: Option<u64>,
}

/// Makes the image; its snapshot's id, where there is one at the end. However it ends, no builder is left, if Hetzner lets it go.
pub(super) async fn walk(plan: ImagePlan, world: &World) -> Result<Option<u64>> {
    let lease = world.leases.get(IMAGE).context("nobody asked for the right to make an image")?;
    let ImagePlan { spec, recipe, steps } = plan;
    let (name, created) = (SUBJECT.parse()?, world.clock.now());
    let builder = Instance { name, spec, stage: Stage::Planned, created };
    let mut making = Making { builder, recipe, image: None };
    let watch = world.clock.start();
    let mut result = take_all(steps, &mut making, lease, world).await;
    if let Err(error) = &result {
        if !error.is::<Interrupted>() {
            world.say(SUBJECT, What::Failed(error.to_string()));
        }
        let swept = step(&ImageStep::RemoveBuilder(Vec::new()), &mut making, lease, world).await;
        if let Err(left) = swept {
            result = result
                .context(format!("the server {} may be left: {left:#}", world.store.fleet().builder_name()));
        }
    } else {
        world.say(SUBJECT, What::Finished("done".to_owned(), watch.elapsed()));
    }
    // one that cannot be freed ends by itself
    let _ = lease.release().await;
    result.map(|()| making.image)
}

async fn take_all(steps: Vec<ImageStep>, making: &mut Making, lease: &Lease, world: &World) -> Result<()> {
    for next in steps {
        world.stop.check()?;
        step(&next, making, lease, world).await?;
    }
    Ok(())
}

async fn step(step: &ImageStep, making: &mut Making, lease: &Lease, world: &World) -> Result<()> {
    let watch = world.clock.start();
    world.halt.here(step.word(), Point::BeforeIntent);
    let intent = lease.begin(step.word(), &world.clock.now()).await?;
    world.halt.here(step.word(), Point::AfterIntent);
    match take(step, making, world).await {
        Ok(line) => {
            world.halt.here(step.word(), Point::AfterAct);
            lease.end(intent, "done", &world.clock.now()).await?;
            world.halt.here(step.word(), Point::AfterOutcome);
            world.say(SUBJECT, What::Did(line, watch.elapsed()));
            Ok(())
        }
        Err(error) => {
            lease.end(intent, &instance::outcome(&error), &world.clock.now()).await?;
            Err(error)
        }
    }
}

/// Takes one step; the line that says what was done.
async fn take(step: &ImageStep, making: &mut Making, world: &World) -> Result<String> {
    let builder = &making.builder;
    match step {
        ImageStep::RemoveBuilder(ids) => builder::remove(ids, builder, world).await,
        ImageStep::CreateBuilder(order) => {
            let made = builder::create(order, builder, world).await?;
            making.note(made)
        }
        ImageStep::TrustBuilder => {
            let reached = host::reach(builder, world).await?;
            making.note(reached)?;
            let trusted = host::trust(&making.builder, world).await?;
            making.note(trusted)
        }
        ImageStep::FillBuilder => {
            let installed = host::install(builder, world).await?;
            making.note(installed)
        }
        ImageStep::ScrubBuilder => scrub(builder, world).await,
        ImageStep::ProveBuilder => prove(builder, world).await,
        ImageStep::StopBuilder => builder::stop(builder, world).await,
        ImageStep::TakeImage => {
            let id = snapshot::take(builder, &making.recipe, world).await?;
            making.image = Some(id);
            Ok(format!("snapshot {id} made"))
        }
        ImageStep::AwaitImage(id) => {
            world.doing(builder, "waiting for the snapshot that was begun");
            world.stop.or(snapshot::until_whole(*id, world)).await?;
            making.image = Some(*id);
            Ok(format!("snapshot {id} is whole"))
        }
    }
}

impl Making {
    fn note(&mut self, done: Done) -> Result<String> {
        let (outcome, line) = done.into_parts();
        self.builder = self.builder.clone().after(outcome)?;
        Ok(line)
    }
}

async fn scrub(builder: &Instance, world: &World) -> Result<String> {
    world.doing(builder, "removing what it could be known by");
    let target = target(builder, world)?;
    let command = image::scrub(&words(server(builder)?, &target, world)?);
    let output = world.stop.or(Line::new(&target).long(&command, image::LIMIT)).await?;
    image::parse_scrub(&output)?;
    Ok("all is removed that it could be known by".to_owned())
}

/// What may stand nowhere on the disk: what is known here of the server and of who is let in.
fn words(server: &Server, target: &Target, world: &World) -> Result<Vec<String>> {
    let mut words = vec![world.store.fleet().builder_name(), server.ipv4.to_string()];
    words.extend(server.ipv6.map(|ipv6| ipv6.to_string()));
    let let_in = target.keys.iter().map(|key| key.bare_public()).collect::<Result<Vec<String>>>()?;
    for key in let_in.iter().chain(&target.host_keys) {
        words.extend(key.split(' ').nth(1).map(str::to_owned));
    }
    Ok(words)
}

async fn prove(builder: &Instance, world: &World) -> Result<String> {
    world.doing(builder, "looking for what it could be known by");
    let target = target(builder, world)?;
    let output = world.stop.or(Line::new(&target).long(&image::prove(), image::LIMIT)).await?;
    let left = image::parse_proof(&output)?;
    ensure!(left.is_empty(), "the image would know who its server was: {}", left.join("; "));
    Ok("nothing is left that it could be known by".to_owned())
}
