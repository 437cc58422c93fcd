/**
 * The text of an answer from elsewhere, which nobody promises to be short.
 *
 * @throws RangeError once there are more than `maxBytes`
 */
export async function readText({ body }: Response, maxBytes: number): Promise<string> {
  const decoder = new TextDecoder();
  let text = "";
  let bytes = 0;
  for await (const chunk of body ?? []) {
    bytes += chunk.byteLength;
    if (bytes > maxBytes) throw new RangeError("too large");
    text += decoder.decode(chunk, { stream: true });
  }
  return text;
}
