import { randomBytes } from "node:crypto";

const alphabet = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";

/** `cus_` and 24 letters and digits, as Stripe's ids look. */
export function newId(prefix: string, length = 24): string {
  return prefix + Array.from(randomBytes(length), (byte) => alphabet[byte % alphabet.length]).join("");
}

/** 8 capital letters and digits, which begin the numbers of a customer's invoices. */
export function newInvoicePrefix(): string {
  return Array.from(randomBytes(8), (byte) => alphabet[byte % 36]).join("");
}
