import { rm } from 'node:fs/promises'
import { join } from 'node:path'
import { StoreUnavailable } from '../model/failures.ts'
import { type RemovableObjects, requireObjectName } from '../model/object-store.ts'
import { FolderObjects } from './folder-objects.ts'

/** The audit tables as files of one folder. */
export class FolderTables extends FolderObjects implements RemovableObjects {
  readonly #root: string

  /** @param folder absolute path, created with the first object */
  constructor(folder: string) {
    super(folder)
    this.#root = folder
  }

  async remove(name: string): Promise<void> {
    requireObjectName(name)
    try {
      await rm(join(this.#root, name), { force: true })
    } catch (cause) {
      throw new StoreUnavailable({ cause })
    }
  }
}
