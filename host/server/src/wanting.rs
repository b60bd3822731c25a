//! A project that is about to be deployed -> what it will miss when it is called or has something to tell: a secret that is not
//! set, a line that the tenant's policy lacks. Said beforehand; whoever deploys may mend it afterwards.

use crate::{Error, Server, notify};
use manifest::Project;
use types::{Fault, Problem, TenantId};

impl Server {
    pub(crate) fn wanting(&self, tenant: &TenantId, project: &Project) -> Result<Vec<Problem>, Error> {
        let mut wanting = Vec::new();
        for (name, pipeline) in &project.pipelines {
            if let Some(secret) = &pipeline.triggers.webhook
                && self.key(tenant, secret)?.is_none()
            {
                let lacks =
                    format!("pipeline `{name}`: no call can be signed, because the tenant has no secret `{secret}`");
                wanting.push(Problem::new(lacks).hinted(format!("stepwell secret set {secret}")));
            }
            match self.expect_allowed(tenant, &pipeline.triggers.files) {
                Err(Error::Fault(Fault { message, hint, .. })) => {
                    let lacks = format!("pipeline `{name}`: its files cannot be watched: {message}");
                    wanting.push(Problem { hint, ..Problem::new(lacks) });
                }
                looked => looked?,
            }
        }
        let Some(told) = &project.notify else { return Ok(wanting) };
        if let Some(secret) = &told.secret
            && self.key(tenant, secret)?.is_none()
        {
            let lacks = format!("`[notify]`: nobody can be told, because the tenant has no secret `{secret}`");
            wanting.push(Problem::new(lacks).hinted(format!("stepwell secret set {secret}")));
        }
        let mut grants = notify::granted(&told.url)?;
        // Where the name leads is known when the message leaves.
        grants.http.iter_mut().for_each(|grant| grant.private = false);
        let beyond = grants.beyond(&self.known(tenant)?.policy.grants);
        wanting.extend(manifest::grant_lines(&beyond).first().map(|line| {
            let lacks = format!("`[notify]`: the tenant's policy does not let a message to `{}` out", told.url);
            Problem::new(lacks).hinted(types::policy_command(line))
        }));
        Ok(wanting)
    }
}
