import { organizations } from "./people.ts";
import type { Scene } from "./scene.ts";

export const { mine, theirs, third } = organizations;

/** As if somebody who may had deleted it, so long ago. */
export const remove = (scene: Scene, organizationId: string, ago = "0 days") =>
  scene.see(`update organizations set deleted_at = now() - interval '${ago}' where id = '${organizationId}'`);
