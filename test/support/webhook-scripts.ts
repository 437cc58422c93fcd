/** What a receiver was sent. */
export interface Received {
  headers: Record<string, string>;
  body: string;
}

/** How it answers. */
export interface Script {
  status?: number;
  headers?: Record<string, string>;
  body?: string;
  /** `silent`: never. `cut`: the connection ends within the answer. `garbage`: no HTTP. `endless`: a body without end. */
  way?: "silent" | "cut" | "garbage" | "endless";
  /** Milliseconds before it does. */
  delay?: number;
}
