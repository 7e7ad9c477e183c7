/** A model cannot be pulled or removed. The message is for a person, in one line. */
export class ModelFailure extends Error {
  override name = "ModelFailure";
}

/** An archive that is damaged, or holds what no model has; what came out of it is not to be used. */
export class BrokenArchive extends ModelFailure {
  override name = "BrokenArchive";
}
