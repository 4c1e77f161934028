import { describe, expect, it, vi } from 'vitest'
import { type OptimisticRead, retryOptimisticRead } from '../../../gateway/model/optimistic-read.ts'
import { IntegrityFailure, StoreUnavailable } from '../../../gateway/model/failures.ts'

type Read = OptimisticRead<string, number>

/** Answers the reads in order, and the last answer from then on. */
function answering(...answers: readonly Read[]) {
  let reads = 0
  return vi.fn(() => Promise.resolve(answers[Math.min(reads++, answers.length - 1)] ?? { torn: 0 }))
}

const damaged = (torn: number): string => `damaged ${torn}`

describe('P6: an optimistic read', () => {
  it('returns a consistent value after one read', async () => {
    const read = answering({ value: 'whole' })
    await expect(retryOptimisticRead(read, damaged)).resolves.toBe('whole')
    expect(read).toHaveBeenCalledTimes(1)
  })

  it.each([2, 3])('does not report a write in between: read %i is consistent', async (reads) => {
    const report = vi.fn(damaged)
    const torn = Array.from({ length: reads - 1 }, (_, index): Read => ({ torn: index }))
    const read = answering(...torn, { value: 'whole' })
    await expect(retryOptimisticRead(read, report)).resolves.toBe('whole')
    expect(read).toHaveBeenCalledTimes(reads)
    expect(report).not.toHaveBeenCalled()
  })

  it('reports the last of three torn reads, once', async () => {
    const report = vi.fn(damaged)
    const read = answering({ torn: 1 }, { torn: 2 }, { torn: 3 }, { value: 'too late' })
    await expect(retryOptimisticRead(read, report)).resolves.toBe('damaged 3')
    expect(read).toHaveBeenCalledTimes(3)
    expect(report.mock.calls).toEqual([[3]])
  })

  it('throws the error of the report', async () => {
    const read = answering({ torn: 1 })
    await expect(
      retryOptimisticRead(read, () => {
        throw new IntegrityFailure()
      }),
    ).rejects.toThrow(IntegrityFailure)
    expect(read).toHaveBeenCalledTimes(3)
  })

  it('reads as often as the caller requests', async () => {
    const read = answering({ torn: 1 })
    await expect(retryOptimisticRead(read, damaged, 2)).resolves.toBe('damaged 1')
    expect(read).toHaveBeenCalledTimes(2)
  })

  it('does not repeat a read that fails', async () => {
    const read = vi.fn(() => Promise.reject(new StoreUnavailable()))
    await expect(retryOptimisticRead(read, damaged)).rejects.toThrow(StoreUnavailable)
    expect(read).toHaveBeenCalledTimes(1)
  })
})
