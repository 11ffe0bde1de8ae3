/** The last pictures, in the browser's own database. */
import type { KeptPicture } from './kept-picture';

/** The oldest go first. */
export const GALLERY_PICTURES_MAX = 24;

/** The newest first. */
export async function listPictures(): Promise<KeptPicture[]> {
  const pictures = await withStore('readonly', store => store.index(BY_AGE).getAll() as IDBRequest<KeptPicture[]>);
  return pictures.reverse();
}

/** Rejects with a `QuotaExceededError` where the browser has no room; then nothing is changed. */
export async function addPicture(picture: KeptPicture): Promise<void> {
  await withStore('readwrite', store => {
    store.put(picture);
    const oldestFirst = store.index(BY_AGE).getAllKeys();
    oldestFirst.onsuccess = () => {
      const tooMany = Math.max(0, oldestFirst.result.length - GALLERY_PICTURES_MAX);
      oldestFirst.result.slice(0, tooMany).forEach(key => store.delete(key));
    };
    return oldestFirst;
  });
}

export async function removePicture(id: string): Promise<void> {
  await withStore('readwrite', store => store.delete(id));
}

const DATABASE = 'calotype';
const STORE = 'pictures';
const BY_AGE = 'paintedAt';
const VERSION = 1;

/** Done when the transaction is: only then is anything kept. */
async function withStore<T>(mode: IDBTransactionMode, ask: (store: IDBObjectStore) => IDBRequest<T>): Promise<T> {
  const database = await openDatabase();
  try {
    return await new Promise<T>((resolve, reject) => {
      const transaction = database.transaction(STORE, mode);
      const request = ask(transaction.objectStore(STORE));
      transaction.oncomplete = () => resolve(request.result);
      transaction.onabort = () => reject(transaction.error ?? new Error('the browser stopped the transaction'));
    });
  } finally {
    database.close();
  }
}

function openDatabase(): Promise<IDBDatabase> {
  return new Promise((resolve, reject) => {
    const request = indexedDB.open(DATABASE, VERSION);
    request.onupgradeneeded = () => {
      request.result.createObjectStore(STORE, { keyPath: 'id' }).createIndex(BY_AGE, BY_AGE);
    };
    request.onsuccess = () => resolve(request.result);
    request.onerror = () => reject(request.error ?? new Error('the browser has no database'));
  });
}
