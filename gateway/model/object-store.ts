/** An object with the mark of its version, which changes with every write. */
export interface StoredObject {
  readonly bytes: Uint8Array
  /** Opaque. `put` compares it with the version that is stored. */
  readonly version: string
}

/** ABSENT: no object of that name exists. A version: the stored object still has it. Undefined: always. */
export type PutCondition = { readonly onlyIf: 'ABSENT' } | { readonly onlyIf: { readonly version: string } }

/**
 * A store of objects by name, such as a bucket. A name is a path of ASCII letters, digits, `.`, `-` and `_`, with `/` between its parts.
 * No part is `.` or `..`.
 */
export interface ObjectStore {
  /**
   * Writes an object as a whole. After STORED, every reader gets these bytes.
   *
   * @returns KEPT if the condition does not hold. The stored object is unchanged
   * @throws StoreUnavailable if it is unknown whether the object is written
   */
  put(name: string, bytes: Uint8Array, condition?: PutCondition): Promise<'STORED' | 'KEPT'>
  /**
   * @returns undefined if no object has the name
   * @throws StoreUnavailable
   */
  get(name: string): Promise<StoredObject | undefined>
  /**
   * The names that begin with `prefix`, in the order of their characters.
   *
   * @param after only names after this one
   * @throws StoreUnavailable
   */
  list(prefix: string, after?: string): AsyncIterable<string>
}

/** A store whose objects are derived from others and may be removed. The store of a sealed log is none. */
export interface RemovableObjects extends ObjectStore {
  /**
   * Removes an object. An absent one is no fault.
   *
   * @throws StoreUnavailable if it is unknown whether the object is removed
   */
  remove(name: string): Promise<void>
}

const NAME = /^[A-Za-z0-9._-]+(?:\/[A-Za-z0-9._-]+)*$/

/** A fault of the code: names are built from numbers, hashes and tenants. */
export function requireObjectName(name: string): void {
  if (!NAME.test(name) || name.split('/').some((part) => part === '.' || part === '..'))
    throw new TypeError('not the name of an object')
}
