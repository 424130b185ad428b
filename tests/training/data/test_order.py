"""Which images make which batch: decided by seed and epoch alone, shared fairly between devices."""

from collections import Counter

from octa_kedro.training.data.order import DeviceBatches, EpochOrder

TARGETS = (0,) * 9 + (1,) * 3


def order(**values) -> EpochOrder:
    given = {"targets": TARGETS, "size": 4, "seed": 0, "purpose": ("fold", 1)}
    return EpochOrder(**(given | values))


def flat(batches) -> list[int]:
    return [i for batch in batches for i in batch]


def test_every_image_once_an_epoch_in_another_order_each_time():
    first, second = order().batches(1), order().batches(2)
    assert sorted(flat(first)) == sorted(flat(second)) == list(range(12))
    assert [len(batch) for batch in first] == [4, 4, 4]
    assert flat(first) != flat(second)


def test_epoch_5_is_the_same_whether_or_not_epochs_1_to_4_were_drawn():
    patient = order()
    for epoch in range(1, 5):
        patient.batches(epoch)
    assert patient.batches(5) == order().batches(5)
    assert order(seed=1).batches(5) != order().batches(5) != order(purpose=("fold", 2)).batches(5)


def test_devices_share_the_batches_of_one():
    whole = order(devices=2)
    assert whole.batches(3) == order().batches(3)
    shares = []
    for rank in range(2):
        mine = DeviceBatches(whole, rank)
        mine.epoch = 3
        shares.append(list(mine))
        assert len(mine) == 3
    for batch, one, two in zip(whole.batches(3), *shares, strict=True):
        assert len(one) == len(two) == 2
        assert sorted(one + two) == sorted(batch)


def sizes(n: int, **values) -> list[int]:
    made = order(targets=tuple(i % 2 for i in range(n)), **values)
    batches = made.batches(1)
    assert len(batches) == len(made)
    assert len(set(flat(batches))) == len(flat(batches))
    return [len(batch) for batch in batches]


def test_no_batch_is_much_smaller_than_the_others():
    assert sizes(9) == [3, 3, 3]
    assert sizes(10) == [4, 3, 3]
    assert sizes(23, size=8) == [8, 8, 7]
    assert sizes(26, size=8) == [7, 6, 7, 6]
    assert sizes(16, devices=2) == [4, 4, 4, 4]


def test_a_last_image_alone_is_left_out_unless_it_is_all_there_is():
    assert sizes(5, size=2) == [2, 2]
    assert sizes(7, size=3) == [3, 2, 2]
    assert sizes(10, devices=2) == [4, 4]
    assert sizes(1) == [1]


def test_balanced_sampling_draws_classes_equally_often():
    balanced = order(sampling="balanced")
    drawn = Counter(TARGETS[i] for epoch in range(200) for i in flat(balanced.batches(epoch)))
    assert sum(drawn.values()) == 200 * 12
    assert 0.46 < drawn[1] / sum(drawn.values()) < 0.54  # 12 of 48 if all images were alike
    assert balanced.batches(7) == order(sampling="balanced").batches(7)
