/** placeholder */
import type { Target } from './target.ts'
export async function connectControl(_data: string): Promise<Target | undefined> {
  return undefined
}
