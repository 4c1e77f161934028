// Each of these faults stops the delivery of one tenant to one receiver. The delivered position stays where it was. No message has a value:
// a position in the log locates the cause.

/** An event is larger than a batch. No item of the writer has such an event. */
export class EventTooLarge extends Error {
  override readonly name = 'EventTooLarge'
  readonly position: number

  /** @param position of the item in the log, from 0 */
  constructor(position: number) {
    super(`The item at position ${position} has an event that is larger than a batch.`)
    this.position = position
  }
}

/** The log ends before the delivered position, so that the position is of another log. */
export class PositionBeyondLog extends Error {
  override readonly name = 'PositionBeyondLog'

  constructor() {
    super('The sealed log ends before the delivered position. Run: phi audit verify.')
  }
}

/** The stored position is of another format, or was altered. */
export class PositionUnreadable extends Error {
  override readonly name = 'PositionUnreadable'

  constructor(options?: ErrorOptions) {
    super('The delivered position cannot be read. Remove its object: the delivery then begins at the first item.', options)
  }
}

/** A sink did not acknowledge a batch. The batch may have arrived, and is sent again. */
export class SinkUnavailable extends Error {
  override readonly name = 'SinkUnavailable'

  constructor(options?: ErrorOptions) {
    super('The receiver did not acknowledge a batch. It is sent again.', options)
  }
}
