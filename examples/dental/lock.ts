import { writeFileSync } from 'node:fs'
import { compiledLock } from './schema.ts'

// `node examples/dental/lock.ts`, after a change of the schema: what it changes in the lock is what there is to review.
writeFileSync(new URL('./policy.lock', import.meta.url), compiledLock())
