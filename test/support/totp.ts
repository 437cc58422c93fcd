import { asOwner } from "./database.ts";
import { openService, type Person, type Service } from "./service.ts";

const service = openService();

export const activate = ({ token }: Person, code: string, by: Service = service) =>
  by.call("POST", "/v1/auth/mfa/totp/activate", { token, body: { code } });

export const remove = ({ token }: { token: string }, by: Service = service) =>
  by.call("DELETE", "/v1/auth/mfa/totp", { token });

export const storedFactors = async ({ id }: Person) => {
  const [rows = []] = await asOwner([
    "select to_jsonb(f) as stored from totp_factors f where user_id = $1 order by created_at, id",
    [id],
  ]);
  return rows.map(({ stored }) => stored);
};
