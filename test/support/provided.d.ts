import "vitest";

declare module "vitest" {
  interface ProvidedContext {
    /** The Worker's own URL, at the local Neon endpoint. */
    databaseUrl: string;
    /** The owner's, at the same endpoint. */
    ownerUrl: string;
    /** The endpoint's address, for its control routes. */
    endpointUrl: string;
    /** The mailbox's address: Resend's API for the Worker, and its control routes. */
    mailboxUrl: string;
    /** The API key that it takes. */
    mailboxKey: string;
    /** The address of the server that models a range API of leaked passwords. */
    rangesUrl: string;
    /** The issuer of a real OpenID provider, which stands for Google. */
    identityProviderUrl: string;
    /** The address of the models of Microsoft, Apple and GitHub. */
    scriptedProviderUrl: string;
    /** The address of the model of a resolver with DNS over HTTPS. */
    dnsUrl: string;
    /** The address of a receiver of webhooks. */
    webhookReceiverUrl: string;
    /** The address of the model of Stripe. */
    stripeUrl: string;
    /** The key that Apple's model knows. */
    applePrivateKey: string;
  }
}
