/** An engine or a model was asked for and cannot be used; the message is one line. */
export class EngineMissing extends Error {
  override name = "EngineMissing";
}
