package org.truyvet;

import android.bluetooth.le.AdvertiseCallback;
import android.bluetooth.le.AdvertiseSettings;

/** Passes results on to an interface, because Python can implement interfaces only. */
public final class AdvertisingCallback extends AdvertiseCallback {
    private final AdvertisingListener listener;

    public AdvertisingCallback(AdvertisingListener listener) {
        this.listener = listener;
    }

    @Override
    public void onStartSuccess(AdvertiseSettings settings) {
        listener.onAnswer(0);
    }

    @Override
    public void onStartFailure(int code) {
        listener.onAnswer(code);
    }
}
