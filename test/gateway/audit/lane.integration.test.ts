import type { TransactWriteItem } from '@aws-sdk/client-dynamodb'
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { laneKey } from '../../../gateway/audit/item.ts'
import { AuditUnavailable, VersionConflict } from '../../../gateway/model/failures.ts'
import { access, itemsOf } from './examples.ts'
import { cancel, CUT, DROP_ANSWER, type Fault, HANG, HOLD_ANSWER, PASS, refuse } from '../../hostile/faults.ts'
import { aMoment, benchNow, expectIntact, LaneBench, numbersOf, upTo } from './lane-bench.ts'

let bench: LaneBench
beforeAll(async () => {
  bench = await LaneBench.start()
})
afterAll(async () => {
  await bench.stop()
})
beforeEach(() => bench.faulty.play(() => PASS))

describe('P2 and P7: exactly one record for each access, under any network fault', () => {
  it('P2: without a fault: the stored item equals the receipt', async () => {
    const writer = bench.writer()
    const receipt = await writer.append(upTo(3))
    const entries = await writer.stored()
    expectIntact(entries)
    expect(numbersOf(entries)).toEqual([1, 2, 3])
    expect(receipt).toEqual({ lane: `${writer.process}.1`, sequence: 3, hash: entries[2]?.hash })
    expect(writer.events).toEqual([])
  })

  it.each<[string, Fault[]]>([
    ['the connection ends before the engine receives it', [CUT]],
    ['no answer comes, and the engine never received it', [HANG]],
    ['no answer comes, and the engine committed', [HOLD_ANSWER]],
    ['the connection ends after the commit', [DROP_ANSWER]],
    ['the connection ends after the commit, and again', [DROP_ANSWER, CUT, DROP_ANSWER]],
    ['the service fails', [refuse('InternalServerError', 500), refuse('ServiceUnavailable', 503)]],
    ['the transaction is in progress', [refuse('TransactionInProgressException')]],
    ['the transaction committed and is reported as in progress', [DROP_ANSWER, refuse('TransactionInProgressException')]],
    [
      'it is throttled',
      [refuse('ProvisionedThroughputExceededException'), refuse('ThrottlingException'), refuse('RequestLimitExceeded')],
    ],
    ['it conflicts with another transaction', [cancel('None', 'TransactionConflict')]],
    ['the index is throttled', [cancel('ThrottlingError', 'None'), cancel('ProvisionedThroughputExceeded')]],
    ['the answer is lost and then it is throttled', [DROP_ANSWER, refuse('ThrottlingException'), cancel('TransactionConflict')]],
  ])('P2: stores once if %s', async (_, faults) => {
    const writer = bench.writer()
    writer.meets(faults)
    await writer.append([1, 2])
    const tries = writer.sent()
    await writer.append([3])
    const entries = await writer.stored()
    expectIntact(entries)
    expect(numbersOf(entries)).toEqual([1, 2, 3])
    // equal bytes each time: the engine recognizes a repetition
    expect(tries).toHaveLength(faults.length + 1)
    expect(new Set(tries.map((sent) => JSON.stringify(sent))).size).toBe(1)
    expect(await writer.lanes()).toEqual([`${writer.process}.1`])
    expect(writer.events).toEqual([])
  })
})

describe('P2: a refusal', () => {
  it.each(['AccessDeniedException', 'ValidationException', 'ResourceNotFoundException'])(
    'P2: %s frees the sequence numbers',
    async (error) => {
      const writer = bench.writer()
      await writer.append([1])
      writer.meets([refuse(error)])
      await expect(writer.append([2, 3])).rejects.toThrow(AuditUnavailable)
      const receipt = await writer.append([4])
      expect(receipt.sequence).toBe(2)
      const entries = await writer.stored()
      expectIntact(entries)
      expect(numbersOf(entries)).toEqual([1, 4])
      expect(writer.events).toEqual([{ event: 'AUDIT_REFUSED', tenant: writer.tenant, lane: `${writer.process}.1`, cause: error }])
    },
  )

  it('P7: after an attempt with an unknown outcome, a refusal retires the lane, and the successor names its end', async () => {
    const writer = bench.writer()
    await writer.append([1, 2])
    writer.meets([CUT, refuse('AccessDeniedException')])
    await expect(writer.append([3])).rejects.toThrow(AuditUnavailable)
    const receipt = await writer.append([4])
    expect(receipt).toMatchObject({ lane: `${writer.process}.2`, sequence: 1 })
    expect(numbersOf(await writer.stored(1))).toEqual([1, 2])
    const next = await writer.stored(2)
    expectIntact(next)
    expect(next[0]?.succeeds).toBe(`${writer.process}.1/2`)
    await writer.append([5])
    expect((await writer.stored(2))[1]).not.toHaveProperty('succeeds')
    expect(writer.events).toContainEqual({
      event: 'AUDIT_LANE_RETIRED',
      tenant: writer.tenant,
      lane: `${writer.process}.1`,
      sequence: 2,
      why: 'UNRESOLVED',
    })
  })

  it('P7: a retired lane may hold one transaction more than the successor names', async () => {
    const writer = bench.writer()
    await writer.append([1])
    writer.meets([DROP_ANSWER, refuse('AccessDeniedException')])
    await expect(writer.append([2])).rejects.toThrow(AuditUnavailable)
    await writer.append([3])
    expect(numbersOf(await writer.stored(1))).toEqual([1, 2])
    expect((await writer.stored(2))[0]?.succeeds).toBe(`${writer.process}.1/1`)
  })

  it('P7: a lane that stored nothing passes the end of its predecessor to its successor', async () => {
    const writer = bench.writer()
    await writer.append([1, 2])
    writer.meets([CUT, refuse('AccessDeniedException'), CUT, refuse('AccessDeniedException')])
    await expect(writer.append([3])).rejects.toThrow(AuditUnavailable)
    await expect(writer.append([4])).rejects.toThrow(AuditUnavailable)
    await writer.append([5])
    expect((await writer.stored(3))[0]?.succeeds).toBe(`${writer.process}.1/2`)
    expect(await writer.lanes()).toEqual([`${writer.process}.1`, `${writer.process}.3`])
  })
})

describe('P7: another writer in the same lane', () => {
  it('P7: fences the lane with an alarm and overwrites nothing of the other writer', async () => {
    const writer = bench.writer()
    await writer.append([1])
    await bench.intrude(writer, 3)
    const lane = laneKey(writer.tenant, `${writer.process}.1`)
    const before = await bench.items(lane)
    await expect(writer.append([2, 3])).rejects.toThrow(AuditUnavailable)
    expect(await bench.items(lane)).toEqual(before)
    expect(writer.events).toContainEqual({
      event: 'AUDIT_LANE_RETIRED',
      tenant: writer.tenant,
      lane: `${writer.process}.1`,
      sequence: 1,
      why: 'FENCED',
    })
    const { lane: successor } = await writer.append([4])
    const next = await writer.stored(successor)
    expectIntact(next)
    expect(next[0]?.succeeds).toBe(`${writer.process}.1/1`)
  })

  it("P7: another transaction under the lane's token fences the lane too", async () => {
    const writer = bench.writer()
    writer.meets([refuse('IdempotentParameterMismatchException')])
    await expect(writer.append([1])).rejects.toThrow(AuditUnavailable)
    expect(writer.events).toContainEqual(expect.objectContaining({ event: 'AUDIT_LANE_RETIRED', why: 'FENCED' }))
  })

  it('P7: the successor stores the requests that waited behind the fenced lane', async () => {
    const writer = bench.writer({ lanes: 1 })
    await writer.append([1])
    await bench.intrude(writer, 2)
    const fenced = expect(writer.append([2])).rejects.toThrow(AuditUnavailable)
    await aMoment()
    const waiting = await Promise.allSettled([writer.append([3]), writer.append([4])])
    await fenced
    expect(waiting.map(({ status }) => status)).toEqual(['fulfilled', 'fulfilled'])
    // a fenced process takes a new name, which may sort before the old name
    const [successor = ''] = (await writer.lanes()).filter((lane) => lane !== `${writer.process}.1`)
    expect(numbersOf(await writer.stored(successor))).toEqual([3, 4])
  })
})

describe('P2: an outcome that is unknown at the deadline', () => {
  it('P2: is reported in time; a successor takes over, and the lane lingers until its transaction is stored', async () => {
    const writer = bench.writer()
    await writer.append([1])
    writer.meets([], CUT)
    await expect(writer.append([2], 300)).rejects.toThrow(AuditUnavailable)
    await expect
      .poll(() => writer.events, { timeout: 5_000 })
      .toContainEqual(expect.objectContaining({ event: 'AUDIT_LANE_RETIRED', sequence: 1 }))
    expect(numbersOf(await writer.stored(1))).toEqual([1])
    writer.meets([])
    await expect.poll(async () => numbersOf(await writer.stored(1)), { timeout: 5_000 }).toEqual([1, 2])
    await writer.append([3])
    const next = await writer.stored(2)
    expect(numbersOf(next)).toEqual([3])
    expect(next[0]?.succeeds).toBe(`${writer.process}.1/1`)
    expectIntact(await writer.stored(1))
    expect(writer.events.map(({ event }) => event)).toEqual(['AUDIT_LANE_RETIRED', 'AUDIT_REFUSED'])
  })

  it('P2: a call that hangs does not delay the answer', async () => {
    const writer = bench.writer()
    writer.meets([HANG, HANG])
    const [late] = await Promise.allSettled([writer.append([1], 200)])
    expect(late).toMatchObject({ status: 'rejected', reason: { code: 'AUDIT_UNAVAILABLE' } })
    // the call was still in flight when the caller got the answer
    expect(writer.sent()).toHaveLength(1)
    expect(await writer.stored()).toEqual([])
  })

  it('P2: throttling until the deadline leaves nothing open and frees the sequence numbers', async () => {
    const writer = bench.writer()
    writer.meets([], refuse('ThrottlingException'))
    await expect(writer.append([1], 200)).rejects.toThrow(AuditUnavailable)
    await expect
      .poll(() => writer.events, { timeout: 5_000 })
      .toContainEqual(expect.objectContaining({ cause: 'ThrottlingException' }))
    writer.meets([])
    expect(await writer.append([2])).toMatchObject({ lane: `${writer.process}.1`, sequence: 1 })
    expect(numbersOf(await writer.stored())).toEqual([2])
  })

  it('P2: a request that waits past its deadline is never sent', async () => {
    const writer = bench.writer({ lanes: 1 })
    writer.meets([{ kind: 'DELAY', milliseconds: 400 }])
    const stored = writer.append([1])
    await aMoment()
    await expect(writer.append([2], 100)).rejects.toThrow(AuditUnavailable)
    await stored
    await writer.append([3])
    expect(numbersOf(await writer.stored())).toEqual([1, 3])
  })
})

describe('P2: items and their audit records', () => {
  const item = (key: string, condition?: string): TransactWriteItem => ({
    Put: {
      TableName: bench.table,
      Item: { l: { S: `other#${key}` }, n: { S: '1' } },
      ...(condition !== undefined && { ConditionExpression: condition }),
    },
  })
  const soon = (): number => benchNow() + 5_000

  it('P2: are stored together', async () => {
    const writer = bench.writer()
    await writer.log.commit([item('both')], itemsOf(writer.context, [access(1)]), soon())
    expect(await bench.items('other#both')).toHaveLength(1)
    expect(numbersOf(await writer.stored())).toEqual([1])
  })

  it('P2: are refused together: a failed condition of the items is a conflict, and the lane continues without a gap', async () => {
    const writer = bench.writer()
    await writer.append([1])
    await expect(
      writer.log.commit([item('neither', 'attribute_exists(l)')], itemsOf(writer.context, [access(2)]), soon()),
    ).rejects.toThrow(VersionConflict)
    expect(await bench.items('other#neither')).toEqual([])
    await writer.append([3])
    const entries = await writer.stored()
    expectIntact(entries)
    expect(numbersOf(entries)).toEqual([1, 3])
    expect(writer.events).toEqual([])
  })

  it("P2: a lost answer after the gateway's own commit is no conflict", async () => {
    const writer = bench.writer()
    writer.meets([DROP_ANSWER])
    await writer.log.commit([item('own', 'attribute_not_exists(l)')], itemsOf(writer.context, [access(1)]), soon())
    expect(numbersOf(await writer.stored())).toEqual([1])
  })

  it('P2: if the engine forgot the token, the hashes prove the commit', async () => {
    const writer = bench.writer()
    let first: string | undefined
    bench.faulty.play(async ({ operation, body }) => {
      if (operation !== 'TransactWriteItems' || first !== undefined) return PASS
      first = body
      // committed under another token, so that the engine takes the repetition for a new transaction
      await bench.commit(body)
      return CUT
    })
    const items = [item('forgotten', 'attribute_not_exists(l)')]
    await writer.log.commit(items, itemsOf(writer.context, [access(1), access(2)]), soon())
    const entries = await writer.stored()
    expectIntact(entries)
    expect(numbersOf(entries)).toEqual([1, 2])
    await writer.append([3])
    expectIntact(await writer.stored())
    expect(writer.events).toEqual([])
  })

  it('P7: a conflict after an attempt with an unknown outcome retires the lane, because the attempt may still arrive', async () => {
    const writer = bench.writer()
    writer.meets([CUT])
    await expect(
      writer.log.commit([item('late', 'attribute_exists(l)')], itemsOf(writer.context, [access(1)]), soon()),
    ).rejects.toThrow(VersionConflict)
    expect((await writer.append([2])).lane).toBe(`${writer.process}.2`)
  })

  it('refuses a write that exceeds a transaction, and one without records', async () => {
    const { log, context } = bench.writer()
    const many = upTo(99).map((number) => item(`many-${number}`))
    await expect(log.commit(many, itemsOf(context, [access(1)]), soon())).rejects.toThrow(TypeError)
    await expect(log.commit([item('mute')], [], soon())).rejects.toThrow(TypeError)
    await expect(log.append([], soon())).rejects.toThrow(TypeError)
  })
})

describe('P7: a lane', () => {
  it('P7: is registered by its first transaction only', async () => {
    const writer = bench.writer()
    writer.meets([])
    await writer.append([1])
    await writer.append([2])
    const [first, second] = writer.sent().map(({ TransactItems }) => TransactItems.map(({ Put }) => Put?.Item?.['l']?.S))
    const [hour = ''] = Object.keys(await writer.hours())
    expect(first).toEqual([`${writer.tenant}#LANES#${hour}`, laneKey(writer.tenant, `${writer.process}.1`)])
    expect(second).toEqual([laneKey(writer.tenant, `${writer.process}.1`)])
    expect(await writer.lanes()).toEqual([`${writer.process}.1`])
  })

  it('P7: belongs to one tenant and process', async () => {
    const one = bench.writer()
    const other = bench.writer({ tenant: one.tenant })
    await Promise.all([one.append([1]), other.append([2])])
    expect(await one.lanes()).toEqual([`${one.process}.1`, `${other.process}.1`].toSorted())
    const elsewhere = bench.tenant()
    await one.log.append(itemsOf({ ...one.context, tenant: elsewhere }, [access(3)]), benchNow() + 5_000)
    expect(await bench.lanes(elsewhere)).toHaveLength(1)
    expect(numbersOf(await one.stored())).toEqual([1])
  })

  it('shares transactions among concurrent requests, with at most 100 actions each', async () => {
    const writer = bench.writer()
    await writer.append([0])
    writer.meets([])
    await Promise.all(upTo(120).map((number) => writer.append([number])))
    // 99 in the existing lane, and the others with the registration of a second lane
    expect(writer.sent().map(({ TransactItems }) => TransactItems.length)).toEqual([99, 22])
    const lanes = [...(await writer.storedByLane()).values()]
    for (const entries of lanes) expectIntact(entries)
    expect(lanes.flatMap(numbersOf).toSorted((a, b) => Number(a) - Number(b))).toEqual(upTo(120, 0))
  })

  it('splits a request with more items, the registration included', async () => {
    const writer = bench.writer()
    const accesses = upTo(250).map((number) => access(number))
    const receipts = await writer.log.append(itemsOf(writer.context, accesses), benchNow() + 5_000)
    expect(writer.sent().map(({ TransactItems }) => TransactItems.length)).toEqual([100, 100, 53])
    const lanes = [...(await writer.storedByLane()).values()]
    expect(lanes.flatMap(numbersOf)).toEqual(upTo(250))
    for (const entries of lanes) expectIntact(entries)
    // one for each item, in the order of the given items
    expect(receipts).toEqual(lanes.flat().map(({ lane, sequence, hash }) => ({ lane, sequence, hash })))
  })

  it('stores the text of a user agent once in each session', async () => {
    const writer = bench.writer()
    const ask = async (userAgent: string, session: string): Promise<void> => {
      await writer.log.append(itemsOf({ ...writer.context, userAgent, session }, [access(1)]), benchNow() + 5_000)
    }
    for (const [agent, session] of [
      ['A', '1'],
      ['A', '1'],
      ['B', '1'],
      ['A', '2'],
      ['A', '2'],
    ] as const)
      await ask(agent, session)
    expect((await writer.stored()).map(({ userAgentText }) => userAgentText)).toEqual(['A', undefined, 'B', 'A', undefined])
    expect(new Set((await writer.stored()).map(({ userAgent }) => userAgent)).size).toBe(2)
  })

  it('stores the text again if the record with the text was not stored', async () => {
    const writer = bench.writer()
    const told = { ...writer.context, userAgent: 'A' }
    writer.meets([refuse('AccessDeniedException')])
    await expect(writer.log.append(itemsOf(told, [access(1)]), benchNow() + 5_000)).rejects.toThrow(AuditUnavailable)
    await writer.log.append(itemsOf(told, [access(2)]), benchNow() + 5_000)
    expect((await writer.stored())[0]?.userAgentText).toBe('A')
  })

  it('P7: stores half of a surrogate pair in a user agent as U+FFFD, as hashed', async () => {
    const writer = bench.writer()
    await writer.log.append(itemsOf({ ...writer.context, userAgent: 'agent 😀'.slice(0, -1) }, [access(1)]), benchNow() + 5_000)
    const entries = await writer.stored()
    expectIntact(entries)
    expect(entries[0]?.userAgentText).toBe('agent \uFFFD')
  })

  it('P2: a record that cannot be written fails its own request at once, and no other', async () => {
    const writer = bench.writer()
    await writer.append([1])
    // concurrent, so that the two would share a transaction
    const [bad, good] = await Promise.allSettled([
      writer.append([2], 60_000, { at: Number.NaN as never }),
      writer.append([3], 60_000),
    ])
    expect(bad).toMatchObject({ status: 'rejected', reason: { code: 'AUDIT_UNAVAILABLE' } })
    expect(good.status).toBe('fulfilled')
    expect(numbersOf(await writer.stored())).toEqual([1, 3])
    expectIntact(await writer.stored())
    expect(writer.events).toEqual([
      { event: 'AUDIT_REFUSED', tenant: writer.tenant, lane: `${writer.process}.1`, cause: 'RangeError' },
    ])
  })
})
