import { startCommandWith } from './start-command.ts'

/** The local stack cannot start on this machine. The message states the cause and the next step. Commands print it as it is. */
export class StartRefused extends Error {
  override readonly name: string = 'StartRefused'
}

/** A file of the data folder is damaged, or is of another version. */
export class DataUnreadable extends StartRefused {
  override readonly name = 'DataUnreadable'
  /** @param content the content of the file: `the keys of the local KMS` */
  constructor(content: string, options?: ErrorOptions) {
    super(`Cannot read ${content}. To start without the old data, run: ${startCommandWith({ options: '--fresh' })}`, options)
  }
}
