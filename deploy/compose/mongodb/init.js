// Begins the set rs0 and makes the user that MONGO_USER and MONGO_PASSWORD name, once;
// run again it changes nothing. It runs beside mongod, on its loopback, where alone a
// first user may be made. Nothing secret is printed.
const user = process.env.MONGO_USER || 'root';
const password = process.env.MONGO_PASSWORD || 'root';

function fail(words) {
  print(`mongodb-init: ${words}`);
  quit(1);
}

function await_(what, attempt) {
  for (let left = 120; left > 0; left--) {
    try {
      const answer = attempt();
      if (answer) return answer;
    } catch (error) {
      if (left === 1) fail(`${what}: ${error.message}`);
    }
    sleep(1000);
  }
  return fail(`${what}: not within two minutes`);
}

const admin = await_('mongod answers', () =>
  new Mongo('mongodb://127.0.0.1:27017/?directConnection=true&serverSelectionTimeoutMS=2000').getDB('admin'));

await_('the set has begun', () => {
  const hello = admin.hello();
  if (hello.setName) return hello.setName;
  try {
    admin.runCommand({ replSetInitiate: { _id: 'rs0', members: [{ _id: 0, host: 'mongodb:27017' }] } });
  } catch (error) {
    print(`mongodb-init: ${error.codeName || error.message}`);
  }
  return null;
});
await_('a primary', () => admin.hello().isWritablePrimary);

function known() {
  try {
    return admin.auth(user, password).ok === 1;
  } catch {
    return false;
  }
}

if (!known()) {
  try {
    admin.createUser({ user, pwd: password, roles: ['root'] });
  } catch (error) {
    fail('MONGO_USER and MONGO_PASSWORD are not those that the volume was begun with. '
      + `Put the old ones back, or change them in MongoDB. (${error.codeName})`);
  }
  if (!known()) fail('the new user can not sign in');
  print('mongodb-init: the user has been made');
}
print('mongodb-init: ready');
