import { afterAll, beforeAll, expect, it } from 'vitest'
import { openServices } from '../../gateway/compose.ts'
import { type RunningClinic, runClinic } from '../harness/running-clinic.ts'
import { RIVERSIDE } from './asking.ts'

let clinic: RunningClinic
beforeAll(async () => {
  clinic = await runClinic({ riverside: 1, lakeside: 0 })
})
afterAll(async () => {
  await clinic.stop()
})

it('prefetching loads the keys of the named tenants, so that the first request makes no call to KMS', async () => {
  const services = openServices({ ...clinic.stack.env, PHI_PREFETCH_TENANTS: `${RIVERSIDE},unknown` })
  await services.prefetch()
  const { kms } = services.keyring.counts
  expect(kms).toBe(1)
  await services.keyring.purposeKey(RIVERSIDE, 'cursor')
  expect(services.keyring.counts.kms).toBe(kms)
  services.close()
})

it('prefetching does not fail if a service is unavailable', async () => {
  const away = { AWS_ENDPOINT_URL_DYNAMODB: 'http://127.0.0.1:9', PHI_PREFETCH_TENANTS: RIVERSIDE }
  const services = openServices({ ...clinic.stack.env, ...away })
  await expect(services.prefetch()).resolves.toBeUndefined()
  services.close()
})

it('an impossible name of a tenant is refused at the start', () => {
  expect(() => openServices({ ...clinic.stack.env, PHI_PREFETCH_TENANTS: 'a#b' })).toThrow('PHI_PREFETCH_TENANTS')
})
