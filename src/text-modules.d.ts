/** Text modules, as wrangler bundles them. */
declare module "*.txt" {
  const text: string;
  export default text;
}

declare module "*.sql" {
  const text: string;
  export default text;
}
